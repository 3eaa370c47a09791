"""MurmurHash3 of columns: the published values, and row for row what a plain reading of the algorithm gives."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reconcile.fingerprint import fingerprints, halves

_WORD = 2**64 - 1


def rolled(word: int, by: int) -> int:
    """Turn a word of 64 bits to the left."""
    return (word << by | word >> (64 - by)) & _WORD


def mixed(word: int) -> int:
    """Do the algorithm's last mixing of one half."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        word = (word ^ word >> 33) * factor & _WORD
    return word ^ word >> 33


def murmur(data: bytes, seed: tuple[int, int] = (0, 0), size: int | None = None) -> tuple[int, int]:
    """Hash one text in plain Python (MurmurHash3_x64_128); `size` stands in for its length."""
    first, second = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1, h2 = seed
    for start in range(0, len(data), 16):
        block = data[start : start + 16]
        k1, k2 = (int.from_bytes(part.ljust(8, b"\0"), "little") for part in (block[:8], block[8:]))
        h1 ^= rolled(k1 * first & _WORD, 31) * second & _WORD
        if len(block) == 16:
            h1 = ((rolled(h1, 27) + h2) * 5 + 0x52DCE729) & _WORD
        h2 ^= rolled(k2 * second & _WORD, 33) * first & _WORD
        if len(block) == 16:
            h2 = ((rolled(h2, 31) + h1) * 5 + 0x38495AB5) & _WORD
    size = len(data) if size is None else size
    h1, h2 = h1 ^ size, h2 ^ size
    h1 = (h1 + h2) & _WORD
    h2 = (h2 + h1) & _WORD
    h1, h2 = mixed(h1), mixed(h2)
    h1 = (h1 + h2) & _WORD
    return h1, (h2 + h1) & _WORD


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("", "00000000000000000000000000000000"),
        ("hello", "cbd8a7b341bd9b025b1e906a48ae1d19"),
        ("The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"),
    ],
)
def test_the_hash_is_the_published_one(text: str, published: str) -> None:
    first, second = halves(text)
    assert f"{first:016x}{second:016x}" == published


texts = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.integers(0, 3_000).map(lambda count: "aé" * count),
)
words = st.integers(0, _WORD)


@settings(deadline=None)
@given(st.lists(texts, max_size=30), st.tuples(words, words), st.integers(0, 5))
def test_each_row_is_hashed_as_if_it_stood_alone(rows: list[str | None], seed: tuple[int, int], skipped: int) -> None:
    first, second = fingerprints(pa.array(rows, pa.string()).slice(skipped), seed)
    alone = [murmur(b"", seed, _WORD) if row is None else murmur(row.encode(), seed) for row in rows[skipped:]]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == alone


def test_a_column_of_many_slices_is_hashed_like_its_parts() -> None:
    rows = [f"person {number}" for number in range(100_000)]
    first, second = fingerprints(pa.array(rows))
    for place in (0, 32_767, 32_768, 65_535, 65_536, 99_999):
        assert (int(first[place]), int(second[place])) == murmur(rows[place].encode())
