"""Object ids of the tenant's people: GUIDs that are computed from row numbers and back, so that no index is held.

Used by `company` and `tenant`; ids of groups and roles are made here too.
"""

from __future__ import annotations

import uuid

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_WORD = (1 << 32) - 1
_LONG = (1 << 64) - 1
_STEP = 0x9E3779B1
_BACK = pow(_STEP, -1, 1 << 32)
_GOLDEN = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_DASHES = (8, 13, 18, 23)
_DIGITS = [place for place in range(36) if place not in _DASHES]


class PeopleIds:
    """A reversible numbering: row <-> GUID of version 4 form, different for every seed."""

    def __init__(self, seed: int) -> None:
        """Make the numbering of the tenant generated from `seed`."""
        self._seed_noise = _mixed_int(seed & _LONG)
        self._offset = self._seed_noise & _WORD

    def of(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Give the ids of `rows` as a string array."""
        count = len(rows)
        first = (rows.astype(np.uint64) * np.uint64(_STEP) + np.uint64(self._offset)) & np.uint64(_WORD)
        noise = _mixed(rows.astype(np.uint64) ^ np.uint64(self._seed_noise))
        more = _mixed(noise)
        octets = np.empty((count, 16), dtype=np.uint8)
        octets[:, :4] = first.astype(">u4").view(np.uint8).reshape(count, 4)
        octets[:, 4:12] = noise.astype(">u8").view(np.uint8).reshape(count, 8)
        octets[:, 12:] = more.astype(">u8").view(np.uint8).reshape(count, 8)[:, :4]
        octets[:, 6] = (octets[:, 6] & 0x0F) | 0x40
        octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
        text = np.full((count, 36), ord("-"), dtype=np.uint8)
        digits = np.empty((count, 32), dtype=np.uint8)
        digits[:, 0::2] = _HEX[octets >> 4]
        digits[:, 1::2] = _HEX[octets & 0x0F]
        text[:, _DIGITS] = digits
        offsets = np.arange(count + 1, dtype=np.int32) * 36
        return pa.Array.from_buffers(
            pa.string(), count, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())]
        )

    def one(self, row: int) -> str:
        """Give the id of one row, by the same arithmetic on plain integers."""
        first = (row * _STEP + self._offset) & _WORD
        noise = _mixed_int(row ^ self._seed_noise)
        octets = bytearray(
            first.to_bytes(4, "big") + noise.to_bytes(8, "big") + _mixed_int(noise).to_bytes(8, "big")[:4]
        )
        octets[6] = (octets[6] & 0x0F) | 0x40
        octets[8] = (octets[8] & 0x3F) | 0x80
        text = octets.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def row(self, identifier: str) -> int | None:
        """Give the row that `identifier` would stand for, or None when it is not of this numbering."""
        try:
            first = int(identifier[:8], 16)
        except ValueError:
            return None
        row = ((first - self._offset) * _BACK) & _WORD
        return row if self.one(row) == identifier.lower() else None


def named_id(seed: int, name: str) -> str:
    """Give the GUID of a thing that is not a person: the same for the same seed and name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{seed}:{name}"))


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64-bit integers (the finaliser of splitmix64)."""
    mixed = values + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FACTORS[0])
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_FACTORS[1])
    return mixed ^ (mixed >> np.uint64(31))


def _mixed_int(value: int) -> int:
    """Scramble one 64-bit integer as `_mixed` does."""
    mixed = (value + _GOLDEN) & _LONG
    mixed = ((mixed ^ (mixed >> 30)) * _FACTORS[0]) & _LONG
    mixed = ((mixed ^ (mixed >> 27)) * _FACTORS[1]) & _LONG
    return mixed ^ (mixed >> 31)
