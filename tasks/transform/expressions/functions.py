"""The registry: every function of the language by its name. Used by `check`, and by whoever lists the functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tasks.transform.expressions import (
    functions_date,
    functions_encoding,
    functions_list,
    functions_logic,
    functions_random,
    functions_replace,
    functions_text,
)
from tasks.transform.expressions.signature import Function

FUNCTIONS: Final[Mapping[str, Function]] = {
    function.name: function
    for module in (
        functions_date,
        functions_encoding,
        functions_list,
        functions_logic,
        functions_random,
        functions_replace,
        functions_text,
    )
    for function in module.FUNCTIONS
}
"""All functions of the two references of Microsoft (app provisioning, cloud sync) and of the schema's own list."""
