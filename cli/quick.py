"""Typer's command and group, minus a sixth of a second.

Typer (0.29) imports pydantic to convert the value of any parameter that is not plainly a bool; its own `--help` has no
value when it is not given, so every command would pay for that. A default of False is what it means anyway.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class QuickCommand(TyperCommand):
    """A command whose `--help` costs nothing when it is not asked for."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own types of both are private
        """The `--help` option, False by default."""
        return _false_by_default(super().get_help_option(ctx))


class QuickGroup(TyperGroup):
    """A group whose `--help` costs nothing when it is not asked for."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own types of both are private
        """The `--help` option, False by default."""
        return _false_by_default(super().get_help_option(ctx))


def _false_by_default(option: Any) -> Any:  # noqa: ANN401 - Typer's own type is private
    if option is not None:
        option.default = False
    return option
