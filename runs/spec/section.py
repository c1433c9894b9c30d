"""What every section of the run file has in common: strict, frozen, no unknown keys, rules that name their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable

Auto = Literal["auto"]


class Section(BaseModel):
    """A section of the run file. Field descriptions are its reference documentation, one line each."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, serialize_by_alias=True, protected_namespaces=()
    )


def broken_rule(place: tuple[str | int, ...], message: str, found: object = None) -> InitErrorDetails:
    """Describe a broken rule between or inside fields.

    Args:
        place: Keys from the section that raises it down to the value.
        message: What is expected and what was found, the value last.
        found: The value.
    """
    # The message goes through the context because a template would read braces in it as placeholders.
    kind = PydanticCustomError("rule", "{message}", {"message": message})
    return InitErrorDetails(type=kind, loc=place, input=found)


def refuse(section: str, broken: Iterable[InitErrorDetails]) -> None:
    """Raise all broken rules at once, if there are any.

    Raises:
        ValidationError: There is at least one.
    """
    details = list(broken)
    if details:
        raise ValidationError.from_exception_data(section, details)


def repeat_errors(error: ValidationError) -> list[InitErrorDetails]:
    """Give the errors of a failed validation in the form in which they can be raised again among others."""
    return [_repeat(one) for one in error.errors()]


def _repeat(one: Any) -> InitErrorDetails:  # noqa: ANN401 (a TypedDict of pydantic-core that differs by error type)
    if one["type"] == "rule":
        return broken_rule(one["loc"], one["msg"], one["input"])
    return InitErrorDetails(type=one["type"], loc=one["loc"], input=one["input"], ctx=one.get("ctx", {}))
