"""One statement for many rows, handed to the driver as it stands. `journal.py`, `links.py` and `activities.py` use it.

SQLAlchemy looks at each row of an executemany for longer than the database does. Here it compiles the statement once
and converts values a column at a time, with the types' own rules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa


def execute_many(connection: sa.Connection, statement: sa.UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run `statement` once for each of `rows`, which have all the same names; for none nothing is done.

    The same as `connection.execute(statement, rows)`. `statement` should be one object for all calls: what is
    compiled is kept by it.
    """
    if rows:
        many = _compiled(statement, connection.dialect, tuple(rows[0]))
        connection.exec_driver_sql(many.text, many.parameters(rows))


class _Many:
    """A compiled statement, and how rows become its parameters."""

    def __init__(self, statement: sa.UpdateBase, dialect: sa.Dialect, names: Sequence[str]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
        self.text = compiled.string
        self._positional = compiled.positional
        self._fixed = {name: value for name, value in compiled.params.items() if name not in names}
        types = {name: parameter.type for parameter, name in compiled.bind_names.items()}
        self._order: list[tuple[str, Callable[[Any], Any] | None]] = [
            (name, types[name].dialect_impl(dialect).bind_processor(dialect)) for name in compiled.positiontup or types
        ]

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Give the rows as the driver takes them."""
        columns = []
        for name, converted in self._order:
            values = [self._fixed[name]] * len(rows) if name in self._fixed else [row[name] for row in rows]
            columns.append(values if converted is None else [converted(value) for value in values])
        given = list(zip(*columns, strict=True))
        if self._positional:
            return given
        names = [name for name, _ in self._order]
        return [dict(zip(names, values, strict=True)) for values in given]


@functools.lru_cache(maxsize=64)
def _compiled(statement: sa.UpdateBase, dialect: sa.Dialect, names: tuple[str, ...]) -> _Many:
    return _Many(statement, dialect, names)
