"""What can go wrong with an expression: a wrong expression, or a value of one row that a function cannot take.

Called by every module of the expression language; holds no wording of single mistakes.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

from tasks.model import BadInputError


class ExpressionError(BadInputError):
    """Raised when an expression cannot be read or means nothing; its text says where and what to do.

    `line` and `column` count from 1 within the expression; `function` and `argument` name what is wrong there
    (null when it is not about one); `suggestion` is the nearest name that would do, if one is near.
    """

    def __init__(
        self,
        problem: str,
        *,
        line: int,
        column: int,
        function: str | None = None,
        argument: str | None = None,
        suggestion: str | None = None,
        where: str = "",
    ) -> None:
        self.problem = problem
        self.line = line
        self.column = column
        self.function = function
        self.argument = argument
        self.suggestion = suggestion
        self.where = where
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}"
        subject = ""
        if self.function:
            subject = f" {self.function}"
            if self.argument:
                subject += f", argument {self.argument}"
            subject += ":"
        hint = f" Did you mean {self.suggestion}?" if self.suggestion else ""
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{place}:{subject} {self.problem}{hint}"


class RowError(Exception):
    """Raised inside a function when one row's value cannot be taken; the engine keeps it as that row's error."""


def nearest(name: str, names: Collection[str]) -> str | None:
    """Give the name most like `name`, letter case aside, or null when none is near."""
    by_folded = {known.casefold(): known for known in sorted(names)}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def quoted(value: object, limit: int = 60) -> str:
    """Give a value as a message shows it: in quotation marks and cut when long."""
    text = str(value)
    return f'"{text[:limit]}…"' if len(text) > limit else f'"{text}"'
