"""MurmurHash3 of whole text columns: 128 bits a value, worked out by numpy, a slice of rows at a time.

`digest` builds digests of accounts from it, `columns` finds rows by it. It guards against accidents, not against
somebody who seeks two texts with one hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Lane = np.ndarray[Any, np.dtype[np.uint64]]
"""Half of a hash a row."""
Lanes = tuple[Lane, Lane]
"""The two halves of a hash a row."""

_U: Final = np.uint64
_C1: Final = _U(0x87C37B91114253D5)
_C2: Final = _U(0x4CF5AD432745937F)
_FIVE: Final = _U(5)
_ADD: Final = (_U(0x52DCE729), _U(0x38495AB5))
_FINAL: Final = (_U(0xFF51AFD7ED558CCD), _U(0xC4CEB9FE1A85EC53))
_SHIFT: Final = _U(33)
_NO_VALUE: Final = _U(0xFFFF_FFFF_FFFF_FFFF)
_BLOCK: Final = 16
_CLASSES: Final = (64, 1024, 2**31)
"""Values are padded to the longest of their class, so that one long value does not widen all the others."""
_SLICE: Final = 2**20
"""How many bytes are padded at a time: what is worked on stays near the processor."""


def fingerprints(values: pa.Array, seed: tuple[int, int] = (0, 0)) -> Lanes:
    """Give the hash of each text: MurmurHash3_x64_128 of its UTF-8 bytes (SMHasher), which starts from `seed`.

    Null has a hash of its own: that of no bytes with a length that no text has.
    """
    count = len(values)
    lanes = np.empty(count, _U), np.empty(count, _U)
    lengths = pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    filled = pc.fill_null(values, "") if values.null_count else values
    ends = lengths.astype(_U)
    if values.null_count:
        ends[values.is_null().to_numpy(zero_copy_only=False)] = _NO_VALUE
    for rows, width in _classes(lengths):
        one = filled if rows is None else filled.take(pa.array(rows))
        part = lanes if rows is None else (np.empty(len(rows), _U), np.empty(len(rows), _U))
        sizes, marks = (lengths, ends) if rows is None else (lengths[rows], ends[rows])
        step = max(_SLICE // max(width, _BLOCK), 1)
        for start in range(0, len(one), step):
            here = slice(start, start + step)
            words = _words(one.slice(start, step), width)
            part[0][here], part[1][here] = _hashed(words, sizes[here], marks[here], seed)
        if rows is not None:
            lanes[0][rows], lanes[1][rows] = part
    return lanes


def halves(text: str) -> tuple[int, int]:
    """Give the hash of one text as two numbers, fit for a seed."""
    first, second = fingerprints(pa.array([text], pa.string()))
    return int(first[0]), int(second[0])


def _classes(lengths: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[tuple[Any, int]]:
    """Give the rows of each class of lengths (null for all) and the width in bytes that holds them."""
    longest = int(lengths.max(initial=0))
    if longest <= _CLASSES[0]:
        yield None, -(-longest // _BLOCK) * _BLOCK
        return
    lowest = -1
    for highest in _CLASSES:
        rows = np.flatnonzero((lengths > lowest) & (lengths <= highest))
        if len(rows):
            yield rows, -(-int(lengths[rows].max()) // _BLOCK) * _BLOCK
        lowest = highest


def _words(values: pa.Array, width: int) -> Lane:
    """Give the values as rows of little-endian words, zeros behind their end."""
    if not width:
        return np.empty((len(values), 0), _U)
    padded = pc.ascii_rpad(values, width, "\0")
    matrix = np.frombuffer(padded.buffers()[2], "<u8", len(values) * width // 8).reshape(len(values), width // 8)
    return matrix.astype(_U, copy=False)


def _hashed(words: Lane, lengths: Any, ends: Lane, seed: tuple[int, int]) -> Lanes:
    h1, h2 = np.full(len(words), seed[0], _U), np.full(len(words), seed[1], _U)
    for block in range(words.shape[1] // 2):
        m1 = h1 ^ _rolled(words[:, 2 * block] * _C1, 31) * _C2
        m2 = h2 ^ _rolled(words[:, 2 * block + 1] * _C2, 33) * _C1
        whole = lengths >= (block + 1) * _BLOCK
        if not whole.any():
            # What is left is a tail, or nothing at all, whose words are zeros and change nothing.
            h1, h2 = m1, m2
            continue
        n1 = (_rolled(m1, 27) + h2) * _FIVE + _ADD[0]
        n2 = (_rolled(m2, 31) + n1) * _FIVE + _ADD[1]
        h1, h2 = (n1, n2) if whole.all() else (np.where(whole, n1, m1), np.where(whole, n2, m2))
    h1 ^= ends
    h2 ^= ends
    h1 += h2
    h2 += h1
    _avalanche(h1)
    _avalanche(h2)
    h1 += h2
    h2 += h1
    return h1, h2


def _rolled(lane: Lane, by: int) -> Lane:
    high = lane << _U(by)
    high |= lane >> _U(64 - by)
    return high


def _avalanche(lane: Lane) -> None:
    for factor in _FINAL:
        lane ^= lane >> _SHIFT
        lane *= factor
    lane ^= lane >> _SHIFT
