"""The expression engine's face: compile an expression once, evaluate it over columns, explain it for one row.

Called by the transform stage and the command line. What the documents leave open is decided as follows; each
decision has its test in `tests/transform/expressions`.

- IIF and absent sources: nothing special. `[x] = ""` is true for null and "", IsPresent and its kin work as
  conditions, an ordering with null or "" is false.
- Switch: compares letter by letter, white space at both ends not counted; the key "" matches null and "". IsPresent
  and its kin are fine as a source: "True" or "False" is compared.
- Coalesce: the first value that is neither null nor ""; when there is none, "" if there was one, else null.
- Split: parts are trimmed, empty parts left out; without a delimiter at commas.
- Replace with pattern, group and replacement attribute: the source if it has a value, else the group in the other.
- FormatDateTime: three arguments are source and formats, four have the style second. A date function's result need
  not fit the input format. Offsets are converted to UTC, which is the service's clock.
- Not: "True" in any letter case gives False, everything else, null too, gives True.
- CBool and conditions: True in any letter case or a number other than 0 is true, everything else false.
- RemoveDuplicates: the first occurrences, in order; letter case counts. SingleAppRoleAssignment: the first role.
- Item: null for an attribute without values; an index outside 1 to the count is an error, 0 too.
- Names of functions and words are taken in their exact letter case.
- Word: separators in a row separate once. Lengths and positions count characters (code points), never half of one.
- Null otherwise: null in, null out; a null suffix of Append, prefix of Prepend or operand of `&` adds nothing. An
  empty text is not a date: date functions fail on it, and give null for null.
- Multi-valued attributes: functions from text to text take each value; where one value is needed, one value counts
  as that, none as null, several are an error. A list without values counts as absent, one of "" only as empty.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import LIST, TEXT, Column, Flow, Result, Signals, as_text, converted
from tasks.transform.expressions.compiler import compiled
from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.expressions.frame import Context, Frame, Operation, Seen, normalised
from tasks.transform.expressions.grammar import parse
from tasks.transform.expressions.printer import unparse
from tasks.transform.expressions.tree import Attribute, Call, Node, walk

BATCH_ROWS: Final = 131_072
"""Rows evaluated together: enough that a batch's overhead vanishes, few enough that what lies between stays small."""
MAX_RESULT_BYTES: Final = 1_500_000_000
"""Most that the values of one evaluation may take; Arrow's text columns end at 2 GiB."""
REDACTED: Final = "[Redact]"
"""What is shown for a value that Redact hides (Microsoft's provisioning logs show the same)."""

_HIDDEN_ERROR: Final = "a function could not take its value; which one, and the value, are hidden by Redact"


@dataclasses.dataclass(frozen=True)
class Rows:
    """What an expression is evaluated over.

    `columns`: source attributes by mapping name, text or lists of text, each with `count` values; an attribute that
    is not among them is null. `now` is UTC, the value of Now(). `taken` tells which of the given texts exist in the
    target, for SelectUniqueValue; without it none does. `random_bytes` gives so many random bytes.
    """

    columns: Mapping[str, pa.ChunkedArray | pa.Array]
    count: int
    now: dt.datetime
    default_domain: str | None = None
    taken: Callable[[pa.Array], pa.Array] | None = None
    random_bytes: Callable[[int], bytes] = os.urandom


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """What an evaluation gives, row for row.

    `values`: text or lists of text; null where a flag is set or an error is told. `ignore_attribute` and
    `ignore_object`: booleans. `errors`: text, null where the row is fine.
    """

    values: pa.Array
    ignore_attribute: pa.Array
    ignore_object: pa.Array
    errors: pa.Array


@dataclasses.dataclass(frozen=True)
class Step:
    """One value on the way to the result: the part of the expression, how deep it is in it, and what it gave.

    `value` is `REDACTED` where Redact hides it; with a `flow` other than VALUE it is null, and `error` is told for
    ERROR.
    """

    text: str
    depth: int
    value: str | list[str] | None
    flow: Flow
    error: str | None


@dataclasses.dataclass(frozen=True)
class Expression:
    """A compiled expression; safe to use from several threads.

    `attributes` are the source attributes it reads, `functions` the functions it calls, `redacted` whether Redact
    is among them, so that its values do not belong in logs and reports.
    """

    text: str
    attributes: frozenset[str]
    functions: frozenset[str]
    redacted: bool
    _tree: Node = dataclasses.field(repr=False, compare=False)
    _operation: Operation = dataclasses.field(repr=False, compare=False)

    def unparse(self) -> str:
        """Give the expression in its one fixed spacing; it means the same."""
        return unparse(self._tree)

    def evaluate(self, rows: Rows) -> Evaluated:
        """Evaluate over all rows. What goes wrong in a row is told in `errors`, never raised.

        Raises `ExpressionError` only when the values of all rows together outgrow `MAX_RESULT_BYTES`.
        """
        if isinstance(self._tree, Attribute):
            return _unsignalled(_direct(rows, self._tree.name), rows.count)
        context = _context(rows)
        parts: list[tuple[pa.Array, Signals | None]] = []
        size = 0
        for frame in self._frames(rows, context):
            part = _finished(frame.evaluate(self._operation), frame.count, hidden=self.redacted)
            size += part[0].nbytes
            if size > MAX_RESULT_BYTES:
                raise ExpressionError(
                    f"its values are more than {MAX_RESULT_BYTES:,} bytes in all; make them shorter.", line=1, column=1
                )
            parts.append(part)
        return _together(parts, rows.count)

    def _frames(self, rows: Rows, context: Context) -> Iterator[Frame]:
        columns = {name: rows.columns[name] for name in self.attributes if name in rows.columns}
        for start in range(0, rows.count, BATCH_ROWS):
            count = min(BATCH_ROWS, rows.count - start)
            yield Frame({name: _whole(data.slice(start, count)) for name, data in columns.items()}, count, context)

    def explain(self, rows: Rows) -> list[Step]:
        """Give every value on the way to the result of one row, arguments before the function they are for.

        Branches that are not taken do not appear. Raises `ValueError` unless `rows` is one row.
        """
        if rows.count != 1:
            raise ValueError(f"explain takes one row, found {rows.count}")
        trace: list[Seen] = []
        context = dataclasses.replace(_context(rows), trace=trace)
        (frame,) = self._frames(rows, context)
        frame.evaluate(compiled(self._tree, None, share=False))
        depths = {id(node): depth for node, depth in walk(self._tree)}
        return [_step(seen, depths[id(seen.operation.node)]) for seen in trace]


def compile_expression(text: str, *, known_attributes: Collection[str] | None = None, where: str = "") -> Expression:
    """Read and check an expression.

    With `known_attributes`, every other source attribute is refused. `where` (file, line, attribute) opens the
    message of an error. Raises `ExpressionError`, a `BadInputError`, with line, column, function and argument.
    """
    tree = parse(text, where)
    try:
        operation = compiled(tree, known_attributes)
    except ExpressionError as error:
        error.where = where
        error.args = (str(error),)
        raise
    nodes = [node for node, _ in walk(tree)]
    return Expression(
        text=text,
        attributes=frozenset(node.name for node in nodes if isinstance(node, Attribute)),
        functions=frozenset(node.name for node in nodes if isinstance(node, Call)),
        redacted=operation.secret,
        _tree=tree,
        _operation=operation,
    )


def _context(rows: Rows) -> Context:
    return Context(rows.now, rows.default_domain, rows.taken, rows.random_bytes)


def _whole(data: pa.ChunkedArray | pa.Array) -> pa.Array:
    if not isinstance(data, pa.ChunkedArray):
        return data
    return data.chunk(0) if data.num_chunks == 1 else data.combine_chunks()


def _direct(rows: Rows, name: str) -> pa.Array:
    """Give a source attribute as a result."""
    if name not in rows.columns:
        return pa.nulls(rows.count, TEXT)
    data = normalised(_whole(rows.columns[name]))
    if pa.types.is_dictionary(data.type):
        return data.dictionary_decode()
    return data if data.type in (TEXT, LIST) else _finished(Result(Column(data)), rows.count)[0]


def _unsignalled(values: pa.Array, count: int) -> Evaluated:
    false = pa.repeat(pa.scalar(False), count)
    return Evaluated(values, false, false, pa.nulls(count, TEXT))


def _finished(result: Result, count: int, *, hidden: bool = False) -> tuple[pa.Array, Signals | None]:
    """Give a batch's values as text or lists, null where there is a signal; with `hidden`, errors name no value."""
    column = result.column if result.column.listed else as_text(result.column)
    values = column.plain(count)
    signals = result.signals
    if signals is None:
        return values, None
    if hidden:
        told = pc.if_else(signals.messages.is_valid(), _HIDDEN_ERROR, pa.scalar(None, TEXT))
        signals = Signals(signals.codes, told)
    return values.take(pa.array(np.arange(count), mask=signals.raised)), signals


def _together(parts: list[tuple[pa.Array, Signals | None]], count: int) -> Evaluated:
    arrays = [values for values, _ in parts]
    if any(array.type == LIST for array in arrays):
        arrays = [converted(Column(array), LIST).data for array in arrays]
    values = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays) if arrays else pa.nulls(0, TEXT)
    if all(signals is None for _, signals in parts):
        return _unsignalled(values, count)
    codes = np.concatenate(
        [np.zeros(len(part), dtype=np.uint8) if signals is None else signals.codes for part, signals in parts]
    )
    errors = pa.concat_arrays(
        [pa.nulls(len(part), TEXT) if signals is None else signals.messages for part, signals in parts]
    )
    return Evaluated(values, pa.array(codes == Flow.IGNORE_ATTRIBUTE), pa.array(codes == Flow.IGNORE_OBJECT), errors)


def _step(seen: Seen, depth: int) -> Step:
    values, signals = _finished(seen.result, 1, hidden=seen.operation.secret)
    flow = Flow.VALUE if signals is None else Flow(int(signals.codes[0]))
    shown = REDACTED if seen.operation.secret and flow is Flow.VALUE else values[0].as_py()
    error = None if signals is None else signals.messages[0].as_py()
    return Step(unparse(seen.operation.node), depth, shown, flow, error)
