"""Functions of encodings and numbers: base64, hexadecimal, security identifiers, bits. Registered in `functions`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import NUMBER, TEXT
from tasks.transform.expressions.elementwise import elementwise
from tasks.transform.expressions.errors import RowError, quoted
from tasks.transform.expressions.signature import Function, Kind, Parameter

ENCODINGS: Final = {"Unicode": "utf-16-le", "ASCII": "ascii", "UTF8": "utf-8"}
"""The words that ConvertFromBase64 takes; Unicode when none is given."""
_SID: Final = re.compile(r"S-1-\d+(-\d+)*", re.ASCII)


def _to_base64(source: str) -> str:
    return base64.b64encode(source.encode("utf-16-le", "surrogatepass")).decode()


def _bytes(source: str, what: str) -> bytes:
    compact = "".join(source.split())
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        raise RowError(f"argument {what} must be base64, found {quoted(source)}") from None


def _from_base64(source: str, encoding: str | None) -> str:
    raw = _bytes(source, "source of ConvertFromBase64")
    # .NET's decoders put a replacement character (ASCII: a question mark) where the bytes mean nothing.
    text = raw.decode(ENCODINGS[encoding or "Unicode"], "replace")
    return text.replace("\ufffd", "?") if encoding == "ASCII" else text


def _to_hex(source: str) -> str:
    return source.encode().hex().upper()


def _sid(source: str) -> str:
    """Read a security identifier's bytes, in base64 as Graph has binary values, or its text form as it is."""
    if _SID.fullmatch(source):
        return source
    raw = _bytes(source, "ObjectSID of StringFromSid")
    if len(raw) < 8 or raw[0] != 1 or len(raw) != 8 + 4 * raw[1]:
        raise RowError(f"argument ObjectSID of StringFromSid is no security identifier, found {quoted(source)}")
    parts = [int.from_bytes(raw[place : place + 4], "little") for place in range(8, len(raw), 4)]
    return "-".join(map(str, ["S", raw[0], int.from_bytes(raw[2:8], "big"), *parts]))


def _bit_and(value1: int, value2: int) -> int:
    return value1 & value2


def _bit_and_columns(value1: pa.Array | int, value2: pa.Array | int) -> pa.Array:
    return pc.bit_wise_and(value1, value2)


FUNCTIONS: Final[tuple[Function, ...]] = (
    elementwise("ConvertToBase64", (Parameter("source", each=True),), TEXT, _to_base64),
    elementwise(
        "ConvertFromBase64",
        (
            Parameter("source", each=True),
            Parameter("Encoding", Kind.WORD, required=False, words=tuple(ENCODINGS)),
        ),
        TEXT,
        _from_base64,
    ),
    elementwise("ConvertToUTF8Hex", (Parameter("source", each=True),), TEXT, _to_hex),
    elementwise("StringFromSid", (Parameter("ObjectSID"),), TEXT, _sid),
    elementwise(
        "BitAnd",
        (Parameter("value1", Kind.INTEGER), Parameter("value2", Kind.INTEGER)),
        NUMBER,
        _bit_and,
        _bit_and_columns,
    ),
)
