"""What every part of the schema shares: keys, unknown keys, and how scalars and nulls are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


def _as_text(value: Any) -> Any:
    """Write a scalar the way expressions write it, so that `defaultValue: true` means "True"."""
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]
"""Text; booleans and numbers are read as the text that expressions have for them."""


class Part(pydantic.BaseModel):
    """A part of the schema: camel-case keys on the wire, frozen, unknown keys kept; null means the key's default."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        known = {field.alias for field in cls.model_fields.values()}
        return {key: item for key, item in value.items() if item is not None or key not in known}
