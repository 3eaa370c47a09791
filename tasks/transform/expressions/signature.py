"""What a function looks like from outside: its name, its parameters, what it gives. The registry is `functions`.

`check` holds calls against it; the schema JSON and YAML forms use the same parameter names.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from tasks.transform.expressions.columns import Result
from tasks.transform.expressions.frame import Frame, Operation
from tasks.transform.expressions.tree import Call

if TYPE_CHECKING:
    from tasks.transform.expressions.errors import ExpressionError


class Kind(enum.StrEnum):
    """What a function takes for a parameter; a value is converted where that is possible."""

    TEXT = "a text"
    """Numbers, dates and booleans by their text; a multi-valued attribute with one value by that value."""
    LIST = "a multi-valued attribute"
    """A single value counts as a list of one."""
    INTEGER = "a whole number"
    """Quoted or not."""
    BOOLEAN = "True or False"
    """True in any letter case, or a number other than 0, is true; everything else is false."""
    DATE = "a date"
    """A date function's result, or a text that reads as a date."""
    MOMENT = "a date as text"
    """A date function's result as it is; anything else by its text."""
    ANY = "a value"
    """Any value, as it is."""
    WORD = "a word"
    """One of the parameter's bare words."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter; `name` is the key it has in schema JSON."""

    name: str
    kind: Kind = Kind.TEXT
    required: bool = True
    repeats: bool = False
    """Whether it may be given several times; only the last parameter may."""
    each: bool = False
    """Whether a multi-valued attribute is taken value by value, giving as many results."""
    nullable: bool = False
    """Whether the function itself deals with null; else a null required argument makes the result null."""
    words: tuple[str, ...] = ()
    """The words or texts it accepts; empty when it accepts any."""


@dataclasses.dataclass(frozen=True, eq=False)
class Bound:
    """A parameter and what is given for it: an operation, or null when it is left out."""

    parameter: Parameter
    operation: Operation | None


@dataclasses.dataclass(frozen=True, eq=False)
class Function:
    """One function of the language."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: pa.DataType | None
    """The type of its values; null when it depends on the arguments."""
    evaluate: Callable[[Operation, Sequence[Bound], Frame], Result]
    short_form: tuple[str, ...] = ()
    """Names of the parameters of a second form that leaves some out, told apart by their number."""
    check: Callable[[Call], ExpressionError | None] | None = None
    """Finds what is wrong with a call beyond its parameters."""
    random: bool = False
    """Whether two calls that look the same differ."""
    secret: bool = False
    """Whether its value must not be shown in logs and reports."""
    outermost: bool = False
    """Whether it may stand only at the top of an expression."""
