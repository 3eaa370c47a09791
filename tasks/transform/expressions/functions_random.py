"""Functions that give something of the directory or of chance: DefaultDomain, Guid, RandomString.

Chance comes from the operating system through the context, so that tests can give it. Registered in `functions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.transform.expressions.coerce import coerced
from tasks.transform.expressions.columns import (
    TEXT,
    Column,
    Flow,
    Result,
    Signals,
    constant,
    failures,
    first,
    raised_everywhere,
)
from tasks.transform.expressions.errors import RowError, quoted
from tasks.transform.expressions.frame import Context, Frame, Operation
from tasks.transform.expressions.signature import Bound, Function, Kind, Parameter

MAX_LENGTH: Final = 256
_CLASSES: Final = (
    "0123456789",
    "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
)
"""Digits, special characters (those of Windows' password complexity rule), capitals, small letters."""
_CLASS_NAMES: Final = ("numbers", "special characters", "capital letters", "small letters")

Bytes = npt.NDArray[np.uint8]


def _default_domain(_operation: Operation, _arguments: Sequence[Bound], frame: Frame) -> Result:
    domain = frame.context.default_domain
    if domain:
        return Result(constant(domain))
    problem = "the directory has no default verified domain, or the account may not read it; DefaultDomain needs one"
    return Result(constant(None), raised_everywhere(Flow.ERROR, frame.count, problem))


def _texts(characters: Bytes) -> pa.Array:
    """Make texts of one length from a table of ASCII characters, a row each."""
    count, length = characters.shape
    offsets = np.arange(0, (count + 1) * length, length, dtype=np.int32) if length else np.zeros(count + 1, np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))


def _guid(_operation: Operation, _arguments: Sequence[Bound], frame: Frame) -> Result:
    """One random identifier (RFC 9562, version 4) a row, in lower-case hexadecimal with hyphens."""
    raw = np.frombuffer(frame.context.random_bytes(16 * frame.count), dtype=np.uint8).reshape(frame.count, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    nibbles = np.stack([raw >> 4, raw & 0x0F], axis=2).reshape(frame.count, 32)
    characters = np.full((frame.count, 36), ord("-"), dtype=np.uint8)
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    characters[:, places] = digits[nibbles]
    return Result(Column(_texts(characters)))


def _below(context: Context, limits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give a random whole number below each limit (which is at most 256), all equally likely."""
    numbers = np.zeros(limits.shape, dtype=np.int64)
    fair = 256 - 256 % limits
    missing = np.ones(limits.shape, dtype=bool)
    while missing.any():
        drawn = np.frombuffer(context.random_bytes(int(missing.sum())), dtype=np.uint8).astype(np.int64)
        numbers[missing] = drawn
        # Draws beyond the last whole multiple of the limit would favour small numbers: draw them again.
        missing = numbers >= fair
    return numbers % limits


def _random_string(_operation: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    """Distinct settings are few; the rows of each are drawn together."""
    signals: Signals | None = None
    unfit: Signals | None = None
    settings: list[list[object]] = []
    for argument in arguments:
        if argument.operation is None:
            settings.append([None] * frame.count)
            continue
        result = frame.evaluate(argument.operation)
        column, wrong = coerced(result.column, argument.parameter, frame, "RandomString")
        signals, unfit = first(signals, result.signals), first(unfit, wrong)
        settings.append(column.plain(frame.count).to_pylist())
    rows_of: dict[tuple[object, ...], list[int]] = {}
    for row, setting in enumerate(zip(*settings, strict=True)):
        rows_of.setdefault(setting, []).append(row)
    values = np.full(frame.count, None, dtype=object)
    messages = np.full(frame.count, None, dtype=object)
    for setting, rows in rows_of.items():
        try:
            values[rows] = np.array(_drawn(frame.context, len(rows), setting).to_pylist(), dtype=object)
        except RowError as error:
            messages[rows] = str(error)
    return Result(Column(pa.array(values, TEXT)), first(first(signals, unfit), failures(pa.array(messages, TEXT))))


def _drawn(context: Context, count: int, setting: tuple[object, ...]) -> pa.Array:
    length, *minimums, avoid = setting
    if not isinstance(length, int) or not all(isinstance(one, int) for one in minimums):
        return pa.nulls(count, TEXT)
    numbers = [one for one in minimums if isinstance(one, int)]
    if not 0 <= length <= MAX_LENGTH:
        raise RowError(f"argument Length of RandomString must be from 0 to {MAX_LENGTH}, found {length}")
    if min(numbers) < 0 or sum(numbers) > length:
        raise RowError(
            f"the minimums of RandomString must not be negative, nor more in all than its Length of {length}; "
            f"found {', '.join(map(str, numbers))}"
        )
    pools = ["".join(one for one in pool if one not in str(avoid or "")) for pool in _CLASSES]
    for pool, minimum, name in zip(pools, numbers, _CLASS_NAMES, strict=True):
        if minimum and not pool:
            raise RowError(f"CharactersToAvoid of RandomString leaves no {name}, and {minimum} are asked for")
    # What the minimums leave open comes from the classes that are asked for; when none is, from all of them.
    rest = "".join(pool for pool, minimum in zip(pools, numbers, strict=True) if minimum) or "".join(pools)
    if not rest and length:
        raise RowError(f"CharactersToAvoid of RandomString leaves no characters: {quoted(avoid)}")
    sources = [pool for pool, minimum in zip(pools, numbers, strict=True) for _ in range(minimum)]
    sources += [rest] * (length - len(sources))
    characters = np.zeros((count, length), dtype=np.uint8)
    for place, source in enumerate(sources):
        drawn = _below(context, np.full(count, len(source), dtype=np.int64))
        characters[:, place] = np.frombuffer(source.encode("ascii"), dtype=np.uint8)[drawn]
    return _texts(_shuffled(context, characters))


def _shuffled(context: Context, characters: Bytes) -> Bytes:
    """Shuffle each row (Fisher and Yates, all rows a step at a time)."""
    rows = np.arange(len(characters))
    for place in range(characters.shape[1] - 1, 0, -1):
        other = _below(context, np.full(len(characters), place + 1, dtype=np.int64))
        moved = characters[rows, other]
        characters[rows, other] = characters[:, place]
        characters[:, place] = moved
    return characters


def _counted(name: str) -> Parameter:
    return Parameter(name, Kind.INTEGER)


FUNCTIONS: Final[tuple[Function, ...]] = (
    Function("DefaultDomain", (), TEXT, _default_domain),
    Function("Guid", (), TEXT, _guid, random=True),
    Function(
        "RandomString",
        (
            _counted("Length"),
            _counted("MinimumNumbers"),
            _counted("MinimumSpecialCharacters"),
            _counted("MinimumCapital"),
            _counted("MinimumLowerCase"),
            Parameter("CharactersToAvoid", required=False),
        ),
        TEXT,
        _random_string,
        random=True,
    ),
)
