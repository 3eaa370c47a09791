"""Measures one mapping: the engine, by hand, and row by row on a sample. Called by `__main__` and the tests."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
import time
from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa

from tasks.transform.expressions.engine import Expression, Rows, compile_expression
from tasks.transform.expressions.grammar import parse
from tests.benchmarks.mapping import by_hand, mappings
from tests.transform.expressions.reference import Row, evaluate

NOW = dt.datetime(2031, 3, 14, tzinfo=dt.UTC)
Results = dict[str, pa.Array]


@dataclasses.dataclass(frozen=True)
class Contender:
    """One mapping, and its ways to the same results over the same columns."""

    name: str
    sources: Mapping[str, str]
    by_hand: Callable[[by_hand.Columns], Results]


CONTENDERS = {
    "default": Contender("default", mappings.default(), lambda columns: by_hand.default(columns, mappings.default())),
    "heavy": Contender("heavy", mappings.HEAVY, lambda columns: by_hand.heavy(columns, NOW)),
}


@dataclasses.dataclass(frozen=True)
class Times:
    """CPU seconds that each way takes for `rows` people; row by row is extrapolated from a sample."""

    rows: int
    engine: float
    by_hand: float
    row_by_row: float

    @property
    def over_hand(self) -> float:
        """How many times as long as by hand the engine takes."""
        return self.engine / self.by_hand

    @property
    def faster_than_rows(self) -> float:
        """How many times faster than row by row the engine is."""
        return self.row_by_row / self.engine


def columns_of(frame: pd.DataFrame) -> dict[str, pa.Array]:
    """Give a frame's columns to Arrow, without a copy."""
    arrays = {name: pa.array(frame[name].array) for name in frame.columns}
    return {name: data.combine_chunks() if isinstance(data, pa.ChunkedArray) else data for name, data in arrays.items()}


def compiled(contender: Contender) -> dict[str, Expression]:
    return {name: compile_expression(source) for name, source in contender.sources.items()}


def by_engine(expressions: Mapping[str, Expression], columns: by_hand.Columns, count: int) -> Results:
    rows = Rows(columns, count, NOW, "corp.example")
    return {name: expression.evaluate(rows).values for name, expression in expressions.items()}


def by_rows(contender: Contender, frame: pd.DataFrame) -> dict[str, list[object]]:
    """Evaluate one person after the other with the plain evaluator of the tests."""
    trees = {name: parse(source) for name, source in contender.sources.items()}
    people = pa.table(columns_of(frame)).to_pylist()
    rows = [Row(person, NOW, "corp.example") for person in people]
    return {name: [evaluate(tree, row) for row in rows] for name, tree in trees.items()}


def disagreements(contender: Contender, frame: pd.DataFrame, sample: int) -> list[str]:
    """Name the attributes on which the three ways do not agree; the engine is held to row by row on a sample."""
    columns = columns_of(frame)
    engine = by_engine(compiled(contender), columns, len(frame))
    hand = contender.by_hand(columns)
    rows = by_rows(contender, frame.head(sample))
    return [
        name
        for name, values in engine.items()
        if not by_hand.equal(values, hand[name]) or values.slice(0, sample).to_pylist() != rows[name]
    ]


def timed(contender: Contender, frame: pd.DataFrame, sample: int, repeat: int = 5) -> Times:
    """Measure the three ways; of `repeat` runs the quickest counts."""
    expressions = compiled(contender)
    part = frame.head(sample)
    engine = _quickest(lambda: by_engine(expressions, columns_of(frame), len(frame)), repeat)
    hand = _quickest(lambda: contender.by_hand(columns_of(frame)), repeat)
    rows = _quickest(lambda: by_rows(contender, part), 1)
    return Times(len(frame), engine, hand, rows * len(frame) / max(len(part), 1))


def _quickest(work: Callable[[], object], repeat: int) -> float:
    """Give the CPU seconds of the best run: all ways use one thread, and other work on the machine must not count."""
    best = float("inf")
    for _ in range(repeat):
        gc.collect()
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
        del result
    return best
