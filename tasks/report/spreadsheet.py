"""Activities as the three CSV files of Microsoft's download, joined by change id, and safe to open in a spreadsheet.

The files are those of "How to download and analyze the Microsoft Entra provisioning logs". Their columns are the fields
of provisioningObjectSummary, inner fields behind a dot. `files.py` writes them.
"""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_MARK: Final = "'"
_EXECUTED: Final = r"^['=+\-@\t\r\n＝＋－＠]"
"""How a cell begins that a spreadsheet would execute ("CSV Injection", OWASP), or that begins with the mark itself."""
_LISTS: Final = ("provisioningSteps", "modifiedProperties")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def harmless(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put an apostrophe before each text that a spreadsheet would execute, and before each that begins with one.

    Whoever takes one apostrophe off the texts that begin with it has the original texts again.
    """
    marked = pc.binary_join_element_wise(_MARK, cells, "")
    return pc.if_else(pc.match_substring_regex(cells, _EXECUTED), marked, cells)


def sheets(summaries: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Give the logs, their steps and their modified properties as flat tables of harmless cells."""
    logs = _flat(summaries.drop_columns(list(_LISTS)))
    steps, properties = (_flat(_unnested(summaries, name)) for name in _LISTS)
    return tuple(_harmless(table) for table in (logs, steps, properties))


class SheetFile:
    """A CSV file in UTF-8 that is written part by part; every cell is quoted, and no value is an empty cell.

    It begins with a byte order mark, without which spreadsheets take it for an older encoding.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Write some rows; the first call writes the header too."""
        if self._writer is None:
            self._file.write(_BYTE_ORDER_MARK)
            options = csv.WriteOptions(quoting_style="all_valid")
            self._writer = csv.CSVWriter(self._file, table.schema, write_options=options)
        self._writer.write_table(table)

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()


def _unnested(summaries: pa.Table, name: str) -> pa.Table:
    """Give the entries of a list column, a row each, with the change id and the entry's number in its list."""
    lists = summaries[name].combine_chunks()
    parents = pc.list_parent_indices(lists)
    entries = pa.Table.from_struct_array(pc.list_flatten(lists))
    starts = pc.take(lists.offsets, parents)
    number = pc.add(pc.subtract(pa.array(range(len(entries)), pa.int32()), starts), 1)
    changes = summaries["changeId"].combine_chunks().take(parents)
    return entries.add_column(0, "number", number).add_column(0, "changeId", changes)


def _flat(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _harmless(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(place, field.name, harmless(table[field.name]))
        elif pa.types.is_timestamp(field.type):
            text = pc.strftime(table[field.name], format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(place, field.name, text)
    return table
