"""One CSV or Parquet file as text columns, and the checks that keep a broken file from passing for a small one.

The reader calls it for each file. What the columns mean is not known here.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from tasks.model import BadInputError

LIST_SEPARATOR: Final = ";"
"""Between the values of a multi-valued attribute in a CSV file; a Parquet file has lists."""


@dataclasses.dataclass(frozen=True)
class FileTable:
    """The columns of one file that were asked for, as text or lists of text, empty text as null.

    `problems` says in words why the file may not be whole.
    """

    path: Path
    columns: pa.Table
    header: tuple[str, ...]
    """All column names of the file."""
    problems: tuple[str, ...]

    def refuse(self, wrong: pa.ChunkedArray, column: str, problem: str) -> None:
        """Raise `BadInputError` for the first row flagged in `wrong`, naming file, line and column."""
        row = pc.index(wrong, pa.scalar(value=True)).as_py()
        if row >= 0:
            raise BadInputError(f"{self.place(row)}: column {column}: {problem}")

    def place(self, row: int) -> str:
        """Name the file and the line of a row; Parquet has rows only."""
        if _is_parquet(self.path):
            return f"{self.path}, row {row + 1}"
        above = self.columns.slice(0, row)
        breaks = 0
        for column in above.columns:
            if pa.types.is_string(column.type):
                breaks += pc.sum(pc.count_substring(column, "\n")).as_py() or 0
        return f"{self.path}:{row + 2 + breaks}"


def read_table(path: Path, required: Iterable[str], optional: Iterable[str], lists: frozenset[str]) -> FileTable:
    """Read the `required` columns of the file at `path`, and the `optional` ones that it has.

    Columns in `lists` are multi-valued. Raises `BadInputError` when the file cannot be read, is cut off within a
    row, has no row, or lacks a required column.
    """
    required = list(dict.fromkeys(required))
    before = _stamp(path)
    header = _header(path)
    _check_header(path, header, required)
    wanted = [*required, *(name for name in dict.fromkeys(optional) if name in header and name not in required)]
    table = _read(path, wanted)
    if not len(table):
        raise BadInputError(f"{path}: the file has a header and no row. Export it again; nothing was changed.")
    problems = []
    if _stamp(path) != before:
        problems.append(f"{path.name}: the file changed while it was read")
    if not _is_parquet(path) and not _ends_with_line(path):
        problems.append(f"{path.name}: the last line has no line end, as if the file were cut off")
    return FileTable(path, _typed(path, table, lists), tuple(header), tuple(problems))


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read ({error.strerror}). Correct its path in the job file.") from error
    return status.st_size, status.st_mtime_ns


def _header(path: Path) -> list[str]:
    try:
        if _is_parquet(path):
            return list(pa.parquet.read_schema(path).names)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInputError(f"{path} is not a whole Parquet file ({_short(error)}). Export it again.") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}:1: the file is not UTF-8 text. Export it as CSV in UTF-8.") from error
    if not first.strip():
        raise BadInputError(f"{path}: the file is empty. Export it again; nothing was changed.")
    names = pa.csv.read_csv(
        pa.BufferReader(first.encode()), read_options=pa.csv.ReadOptions(autogenerate_column_names=True)
    )
    return [str(column[0].as_py() if column[0].is_valid else "").strip() for column in names.columns]


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    where = str(path) if _is_parquet(path) else f"{path}:1"
    doubled = sorted({name for name in header if list(header).count(name) > 1})
    if doubled:
        raise BadInputError(f"{where}: the column {doubled[0]} stands twice in the header. Keep one.")
    absent = [name for name in required if name not in header]
    if not absent:
        return
    hints = []
    for name in absent:
        close = difflib.get_close_matches(name, header, n=1, cutoff=0.7)
        hints.append(f"{name} (is {close[0]} meant?)" if close else name)
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        hints.append("the header is not separated by commas")
    raise BadInputError(
        f"{where}: expected the column {', '.join(hints)}; the file has {', '.join(header)}. Export the file with it, "
        "or take the attribute out of the mapping. Nothing was changed."
    )


def _read(path: Path, wanted: Sequence[str]) -> pa.Table:
    try:
        if _is_parquet(path):
            return pa.parquet.read_table(path, columns=list(wanted))
        return pa.csv.read_csv(
            path,
            # Row numbers in error messages come with one thread only.
            read_options=pa.csv.ReadOptions(use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                include_columns=list(wanted),
                column_types={name: pa.string() for name in wanted},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise BadInputError(
            f"{path} cannot be read to its end: {_short(error)}. The file may be cut off: export it again. Nothing was "
            "changed."
        ) from error


def _typed(path: Path, table: pa.Table, lists: frozenset[str]) -> pa.Table:
    typed = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in lists:
            typed[name] = _list_column(path, name, column)
        else:
            typed[name] = _text_column(path, name, column)
    return pa.table(typed).combine_chunks()


def _list_column(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        return pc.split_pattern(column, LIST_SEPARATOR)
    try:
        return column.cast(pa.list_(pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInputError(f"{path}: column {name}: expected text or lists of text, found {column.type}.") from error


def _text_column(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "True", "False")
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInputError(f"{path}: column {name}: expected text, found {column.type}.") from error
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) in {b"\n", b"\r"}


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
