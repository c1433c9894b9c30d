"""The one place where errors become words and exit codes (docs/reference/exit-codes.md)."""

from __future__ import annotations

import sys

EXIT_CLOUD = 3
EXIT_REMOTE = 4
EXIT_LEFTOVERS = 6
EXIT_INTERRUPTED = 130
# As a shell counts a program that SIGPIPE has ended.
EXIT_CLOSED_PIPE = 141


def exit_code(error: Exception) -> int | None:
    """The exit code for one of our own errors; None for anything else, which is a bug and keeps its traceback."""
    from provisioning.errors import LeftoversError, ProvisioningError
    from remote.errors import RemoteError
    from runs.errors import RunError

    match error:
        case RunError():
            return error.exit_code
        case LeftoversError():
            return EXIT_LEFTOVERS
        case ProvisioningError():
            return EXIT_CLOUD
        case RemoteError():
            return EXIT_REMOTE
    return None


def explain(error: Exception) -> None:
    """Print one of our errors to stderr: the fact, then the next command."""
    from cli.console import talk
    from runs.errors import SpecError

    if isinstance(error, SpecError) and error.problems:
        from cli.problems import print_problems

        print_problems(error)
        return
    console = talk()
    code = getattr(error, "code", "")
    reasons = getattr(error, "reasons", {})
    more = f" [dim]({code})[/]" if code and code not in str(error) else ""
    console.print(f"[bold red]error:[/] {console_safe(str(error))}{more}")
    for ref in getattr(error, "remaining", ()):
        resource_id = getattr(ref, "resource_id", str(ref))
        why = f": {reasons[resource_id]}" if resource_id in reasons else ""
        console.print(f"  left: {console_safe(resource_id + why)}")
    if hint := getattr(error, "hint", ""):
        console.print(f"\n[bold cyan]hint:[/] {console_safe(hint)}")


def console_safe(text: str) -> str:
    """`text` with Rich's markup made harmless."""
    from rich.markup import escape

    return escape(text)


def guarded(call: object) -> None:
    """Run the app; turn our errors into an explanation and an exit code.

    Raises:
        SystemExit: Always, with the code.
    """
    assert callable(call)  # noqa: S101 - our own mistake, not the user's
    try:
        call()
    except SystemExit as leaving:
        # Typer and Rich both end quietly, with 1, when nobody reads their output any more (`llamalift ls | head -1`).
        if isinstance(leaving.__context__, BrokenPipeError):
            sys.exit(EXIT_CLOSED_PIPE)
        raise
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        explain(error)
        sys.exit(code)
