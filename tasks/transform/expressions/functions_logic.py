"""Conditions and choices: IIF, Switch, Coalesce, comparisons, tests for absence, flow signals, unique values.

Choices are lazy: an argument is evaluated only over the rows that need it. Registered in `functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.arrays import WHITE, without_empty
from tasks.transform.expressions.coerce import coerced, mask_of, single, truths
from tasks.transform.expressions.columns import (
    BOOLEAN,
    TEXT,
    Column,
    Flow,
    Mask,
    Piece,
    Result,
    Signals,
    as_text,
    constant,
    decoded,
    encode,
    first,
    flagged,
    gather,
    raised_everywhere,
)
from tasks.transform.expressions.elementwise import Partial, elementwise
from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.expressions.frame import Frame, Operation
from tasks.transform.expressions.signature import Bound, Function, Kind, Parameter
from tasks.transform.expressions.tree import Attribute, Call, Text

Choice = npt.NDArray[np.int64]
_NEITHER: Final = -1


def _operation(argument: Bound) -> Operation:
    assert argument.operation is not None
    return argument.operation


def _choose(frame: Frame, choice: Choice, branches: Sequence[Operation | None]) -> Result:
    """Give for each row the value of the branch it takes; a branch sees only its rows. No branch gives null."""
    if len(branches) == 2 and (at_hand := _at_hand(frame, branches)) is not None and (choice != _NEITHER).all():
        return Result(Column(pc.if_else(pa.array(choice == 0), *at_hand)))
    pieces = []
    for number, branch in enumerate(branches):
        taken = choice == number
        rows = np.flatnonzero(taken)
        if not len(rows):
            continue
        if len(rows) == frame.count:
            return Result(constant(None)) if branch is None else frame.evaluate(branch)
        if branch is not None:
            pieces.append(Piece(rows, frame.filter(taken).evaluate(branch)))
    return gather(frame.count, pieces)


def _without(choice: Choice, signals: Signals | None) -> Choice:
    """Let rows that have a signal already take no branch."""
    return choice if signals is None else np.where(signals.raised, _NEITHER, choice)


def _iif(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    condition, *branches = map(_operation, arguments)
    truth, signals = mask_of(frame.evaluate(condition), frame.count)
    chosen = _choose(frame, _without(np.where(truth, 0, 1), signals), branches)
    return Result(chosen.column, first(signals, chosen.signals))


def _refuse_ignoring_condition(call: Call) -> ExpressionError | None:
    condition = call.arguments[0] if call.arguments else None
    if not isinstance(condition, Call) or condition.name != "IgnoreFlowIfNullOrEmpty":
        return None
    return ExpressionError(
        "IgnoreFlowIfNullOrEmpty cannot be the condition; put it around the IIF.",
        line=condition.position.line,
        column=condition.position.column,
        function="IIF",
        argument="condition",
    )


def _switch(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    source, default, *pairs = arguments
    # A blank at the end is no key.
    pairs = pairs[: len(pairs) // 2 * 2]
    judged = frame.evaluate(_operation(source))
    column, several = _comparable(judged.column, frame.count)
    signals = first(judged.signals, several)
    keys = [pair.operation for pair in pairs[::2]]
    branches = [pair.operation for pair in pairs[1::2]]
    evaluated = [_constant_key(key) for key in keys]
    if all(key is not None for key in evaluated):
        choice = _looked_up(column, [key for key in evaluated if key is not None], frame.count)
    else:
        choice, wrong = _compared(column, keys, frame)
        signals = first(signals, wrong)
    choice = np.where(choice == _NEITHER, len(branches), choice)
    chosen = _choose(frame, _without(choice, signals), [*branches, default.operation])
    return Result(chosen.column, first(signals, chosen.signals))


def _comparable(column: Column, count: int) -> tuple[Column, Signals | None]:
    """Give a Switch source or key as it is compared: as text, null as "", white space around it not counted."""
    several: Signals | None = None
    if column.listed:
        column, several = single(column, count, "argument source of Switch")
    text = as_text(column)
    if text.encoded:
        pool = pa.concat_arrays([pc.utf8_trim(text.data.dictionary, WHITE), pa.array([""])])
        return Column(encode(pc.fill_null(text.data.indices, len(pool) - 1), pool), text.constant), several
    return Column(pc.utf8_trim(pc.fill_null(text.data, ""), WHITE), text.constant), several


def _constant_key(key: Operation | None) -> str | None:
    """Give a key that is written out, as it is compared, or null when it has to be evaluated."""
    if key is None:
        return ""
    return None if key.literal is None else key.literal.strip(WHITE)


def _looked_up(column: Column, keys: Sequence[str], count: int) -> Choice:
    """Give the number of the first key equal to each value."""
    places: dict[str, int] = {}
    for number, key in enumerate(keys):
        places.setdefault(key, number)
    numbers = np.array([*places.values(), _NEITHER])
    data = column.data.dictionary if column.encoded else column.data
    found = pc.fill_null(pc.index_in(data, value_set=pa.array(places, TEXT)), len(places)).to_numpy()
    choice = numbers[found]
    if column.encoded:
        choice = choice[column.data.indices.to_numpy()]
    return np.full(count, choice[0]) if column.constant else choice


def _compared(column: Column, keys: Sequence[Operation | None], frame: Frame) -> tuple[Choice, Signals | None]:
    """Compare with keys that have to be evaluated, each only over the rows that no earlier one has matched."""
    choice = np.full(frame.count, _NEITHER)
    open_rows: Mask = np.full(frame.count, True)
    signals: Signals | None = None
    for number, key in enumerate(keys):
        if not open_rows.any():
            break
        rows = np.flatnonzero(open_rows)
        part = frame if len(rows) == frame.count else frame.filter(open_rows)
        judged = Result(constant("")) if key is None else part.evaluate(key)
        wanted, several = _comparable(judged.column, part.count)
        own = first(judged.signals, several)
        values = column.filter(open_rows).plain(part.count)
        equal = pc.equal(values, wanted.plain(part.count)).to_numpy(zero_copy_only=False)
        if own is not None:
            signals = first(signals, gather(frame.count, [Piece(rows, Result(constant(None), own))]).signals)
            equal = equal & ~own.raised
            open_rows[rows[own.raised]] = False
        choice[rows[equal]] = number
        open_rows[rows[equal]] = False
    return choice, signals


def _even_pairs(call: Call) -> ExpressionError | None:
    arguments = list(call.arguments)
    while len(arguments) > 2 and arguments[-1] is None and len(arguments) % 2:
        arguments.pop()
    if len(arguments) % 2 == 0:
        return None
    return ExpressionError(
        "keys and values come in pairs after source and defaultValue, so it takes an even number of arguments; "
        f'found {len(arguments)}. A default left out is written as a blank: Switch([x], , "1", "True").',
        line=call.position.line,
        column=call.position.column,
        function="Switch",
    )


def empty_mask(result: Result, count: int) -> Mask:
    """Give the rows whose value is null, "", or a list without values other than ""."""
    column = result.column
    if column.listed:
        absent = pc.equal(_lengths(without_empty(column.data)), 0)
    elif column.type == TEXT:
        absent = _over_values(column, lambda data: pc.fill_null(pc.equal(data, ""), True), True)
    else:
        absent = decoded(column.data).is_null()
    return _spread(absent, column, count)


def _null_mask(result: Result, count: int) -> Mask:
    """Give the rows whose value is null; a multi-valued attribute without values is not there either."""
    column = result.column
    absent = pc.equal(_lengths(column.data), 0) if column.listed else column.data.is_null()
    return _spread(absent, column, count)


def _lengths(lists: pa.Array) -> pa.Array:
    return pc.fill_null(pc.list_value_length(lists), 0)


def _over_values(column: Column, work: Callable[[pa.Array], pa.Array], null: bool) -> pa.Array:
    if not column.encoded:
        return work(column.data)
    return pc.fill_null(work(column.data.dictionary).take(column.data.indices), null)


def _spread(values: pa.Array, column: Column, count: int) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return np.full(count, bool(mask[0])) if column.constant else mask


def _coalesce(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    """The first value that is neither null nor ""; else the first that is not null; else null."""
    if (at_hand := _at_hand(frame, [argument.operation for argument in arguments])) is not None:
        return Result(Column(_first_of(at_hand)))
    pieces: list[Piece] = []
    open_rows: Mask = np.full(frame.count, True)
    blank: Mask = np.full(frame.count, False)
    for argument in arguments:
        if argument.operation is None or not open_rows.any():
            continue
        rows = np.flatnonzero(open_rows)
        part = frame if len(rows) == frame.count else frame.filter(open_rows)
        result = part.evaluate(argument.operation)
        settled = ~empty_mask(result, part.count)
        if result.signals is not None:
            settled |= result.signals.raised
        blank[rows] |= ~settled & ~_null_mask(result, part.count)
        if settled.any():
            signals = None if result.signals is None else result.signals.filter(settled)
            pieces.append(Piece(rows[settled], Result(result.column.filter(settled), signals)))
            open_rows[rows[settled]] = False
    left = np.flatnonzero(open_rows & blank)
    if len(left):
        pieces.append(Piece(left, Result(constant(""))))
    return gather(frame.count, pieces)


def _at_hand(frame: Frame, operations: Sequence[Operation | None]) -> list[pa.Array | pa.Scalar] | None:
    """Give the columns of operations that cost nothing to evaluate over all rows: plain text and constants.

    Null when any of them costs something, for then laziness pays, and when the steps are to be shown.
    """
    if frame.context.trace is not None:
        return None
    at_hand: list[pa.Array | pa.Scalar] = []
    for operation in operations:
        if operation is None or not isinstance(operation.node, Attribute | Text):
            return None
        column = frame.evaluate(operation).column
        if column.data.type != TEXT:
            return None
        at_hand.append(column.data[0] if column.constant else column.data)
    return at_hand if any(isinstance(one, pa.Array) for one in at_hand) else None


def _first_of(values: Sequence[pa.Array | pa.Scalar]) -> pa.Array:
    """Coalesce whole columns."""
    null = pa.scalar(None, TEXT)
    present = pc.coalesce(*(pc.if_else(pc.equal(value, ""), null, value) for value in values))
    return pc.coalesce(present, *values) if present.null_count else present


def _tested(name: str, test: Callable[[Result, int], Mask]) -> Function:
    """Make a function that tells of any value whether something holds of it."""

    def evaluate(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
        result = frame.evaluate(_operation(arguments[0]))
        return Result(Column(pa.array(test(result, frame.count))), result.signals)

    return Function(name, (Parameter("source" if name == "IsNothing" else "Expression", Kind.ANY),), BOOLEAN, evaluate)


def _is_string(result: Result, count: int) -> Mask:
    """One value counts as a text, several do not."""
    if result.column.listed:
        return _spread(pc.equal(_lengths(result.column.data), 1), result.column, count)
    return ~_null_mask(result, count)


def _cbool(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    result = frame.evaluate(_operation(arguments[0]))
    column, several = result.column, None
    if column.listed:
        column, several = single(column, frame.count, "argument Expression of CBool")
    values = pc.fill_null(decoded(truths(column).data), False)
    return Result(Column(values, column.constant), first(result.signals, several))


def _negated(source: str | None) -> bool:
    return source is None or not _is_true(source)


def _negate_columns(source: pa.Array) -> pa.Array | Partial:
    """Negate the two words at once; anything else is looked at value by value."""
    true = pc.fill_null(pc.equal(source, "True"), False)
    known = pc.or_(true, pc.fill_null(pc.equal(source, "False"), True))
    negated = pc.invert(true)
    return negated if pc.all(known).as_py() is not False else Partial(negated, pc.invert(known))


def _is_true(text: str) -> bool:
    """Tell whether a text is the word True, in any letter case; Not knows no other truth."""
    return text.strip(WHITE).casefold() == "true"


def _ignore_empty(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    result = frame.evaluate(_operation(arguments[0]))
    ignored = flagged(empty_mask(result, frame.count), Flow.IGNORE_ATTRIBUTE)
    return Result(result.column, first(result.signals, ignored))


def _error(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    result = frame.evaluate(_operation(arguments[0]))
    column, unfit = coerced(result.column, arguments[0].parameter, frame, "Error")
    messages = pc.fill_null(column.plain(frame.count), "")
    raised = Signals(np.full(frame.count, Flow.ERROR, dtype=np.uint8), messages)
    return Result(constant(None), first(first(result.signals, unfit), raised))


def _select_unique(_call: Operation, arguments: Sequence[Bound], frame: Frame) -> Result:
    """The first value that the target does not have. Nothing is proposed by an empty value."""
    pieces: list[Piece] = []
    open_rows: Mask = np.full(frame.count, True)
    tried: Mask = np.full(frame.count, False)
    for argument in arguments:
        if argument.operation is None or not open_rows.any():
            continue
        rows = np.flatnonzero(open_rows)
        part = frame if len(rows) == frame.count else frame.filter(open_rows)
        result = _one_value(part.evaluate(argument.operation), part.count)
        proposed = ~empty_mask(result, part.count)
        free = proposed & ~_taken(part, result, proposed)
        settled = free if result.signals is None else free | result.signals.raised
        tried[rows] |= proposed
        if settled.any():
            signals = None if result.signals is None else result.signals.filter(settled)
            pieces.append(Piece(rows[settled], Result(result.column.filter(settled), signals)))
            open_rows[rows[settled]] = False
    chosen = gather(frame.count, pieces)
    taken = flagged(
        open_rows & tried, Flow.ERROR, "every value that SelectUniqueValue proposes exists in the target already"
    )
    return Result(chosen.column, first(chosen.signals, taken))


def _one_value(result: Result, count: int) -> Result:
    if not result.column.listed:
        return result
    column, several = single(result.column, count, "argument uniqueValueRule of SelectUniqueValue")
    return Result(column, first(result.signals, several))


def _taken(frame: Frame, result: Result, proposed: Mask) -> Mask:
    if frame.context.taken is None or not proposed.any():
        return np.full(frame.count, False)
    values = pc.fill_null(as_text(result.column).plain(frame.count), "")
    exists: Mask = pc.fill_null(frame.context.taken(values), False).to_numpy(zero_copy_only=False)
    return exists


def signal_result(flow: Flow, count: int) -> Result:
    """Give what a bare word such as IgnoreObjectFlow evaluates to."""
    return Result(constant(None), raised_everywhere(flow, count))


_ANY: Final = Parameter("Expression", Kind.ANY)

FUNCTIONS: Final[tuple[Function, ...]] = (
    Function(
        "IIF",
        (Parameter("condition", Kind.ANY), Parameter("valueIfTrue", Kind.ANY), Parameter("valueIfFalse", Kind.ANY)),
        None,
        _iif,
        check=_refuse_ignoring_condition,
    ),
    Function(
        "Switch",
        (
            Parameter("source", Kind.ANY),
            Parameter("defaultValue", Kind.ANY, required=False),
            Parameter("switchValue", Kind.ANY, required=False, repeats=True),
        ),
        None,
        _switch,
        check=_even_pairs,
    ),
    Function("Coalesce", (Parameter("source", Kind.ANY, repeats=True),), None, _coalesce),
    _tested("IsNull", _null_mask),
    _tested("IsNothing", _null_mask),
    _tested("IsNullOrEmpty", empty_mask),
    _tested("IsPresent", lambda result, count: ~empty_mask(result, count)),
    _tested("IsString", _is_string),
    Function("CBool", (_ANY,), BOOLEAN, _cbool),
    elementwise("Not", (Parameter("source"),), BOOLEAN, _negated, _negate_columns, takes_null=True),
    Function("IgnoreFlowIfNullOrEmpty", (_ANY,), None, _ignore_empty),
    Function("Error", (Parameter("ErrorMessage"),), None, _error),
    Function(
        "SelectUniqueValue",
        (Parameter("uniqueValueRule", Kind.ANY, repeats=True),),
        None,
        _select_unique,
        outermost=True,
        check=lambda call: _two_rules(call),
    ),
)


def _two_rules(call: Call) -> ExpressionError | None:
    if sum(argument is not None for argument in call.arguments) > 1:
        return None
    return ExpressionError(
        f"it takes at least two rules, found {len(call.arguments)}.",
        line=call.position.line,
        column=call.position.column,
        function="SelectUniqueValue",
    )
