"""How the mapping commands show things on a terminal: signs, values and notes. No command and no mapping is known here.

Whatever comes from a file or a directory is put into `rich.text.Text`, never into markup: expressions are full of
square brackets.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

FAINT: Final = "dim"
"""Style of what explains: between the terminal's own two colours, whichever of them is dark."""

# Control characters, and those that turn the direction of writing.
_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclasses.dataclass(frozen=True)
class Signs:
    """The signs that a console can show."""

    arrow: str = "→"
    nothing: str = "–"
    branch: str = "├─ "
    last: str = "└─ "
    stem: str = "│  "
    cut: str = "…"

    @classmethod
    def of(cls, console: Console) -> Self:
        """Give the signs of `console`: plain ones where it can show no more than ASCII."""
        if console.options.ascii_only or console.options.legacy_windows:
            return cls(arrow="->", nothing="-", branch="|- ", last="`- ", stem="|  ", cut="...")
        return cls()


def visible(text: str) -> str:
    """Give a text from outside with the characters spelled out that would steer the terminal."""
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def quoted(text: str) -> str:
    """Give a text in double quotes, so that white space and an empty text can be seen."""
    return visible(json.dumps(text, ensure_ascii=False))


def shortened(text: str, width: int, signs: Signs) -> str:
    """Give a text on one line of at most `width` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else line[: max(width - len(signs.cut), 0)] + signs.cut


def value_text(value: str | list[str] | None) -> Text:
    """Show a value so that null, an empty text and several values cannot be mistaken for something else."""
    if value is None:
        return Text("null", "italic magenta")
    if isinstance(value, list):
        return Text(f"[{', '.join(map(quoted, value))}]", "green")
    return Text(quoted(value), "green")


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """Print notes one below the other, with a blank line before them; nothing when there are none."""
    if not notes:
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="bold yellow")
    table.add_column(overflow="fold")
    for note in notes:
        table.add_row("note", Text(visible(note)))
    console.print(Padding(table, (1, 0, 0, 0)))


def print_path(console: Console, *parts: str | tuple[str, str]) -> None:
    """Print a line that holds a path, in one piece however long, so that it can be followed and copied."""
    console.print(Text.assemble(*parts), soft_wrap=True)
