"""Where `llamalift` begins. What somebody waits for at the keyboard must not wait for the command line to be built."""

from __future__ import annotations

import os
import sys

# The completion scripts ask for run ids with it; no person types it (cli.completion).
RUN_IDS = "__run-ids"
# Help is laid out for at most so many columns.
_HELP_COLUMNS = 80


def main() -> None:
    """Run the command line, answer a shell that completes a run id, or print the help that was laid out beforehand."""
    if sys.argv[1:2] == [RUN_IDS]:
        from cli.completion.run_ids import print_run_ids

        print_run_ids(active_only=sys.argv[2:3] == ["active"])
    elif sys.argv[1:] == ["--help"] and _is_wide():
        from cli.help_text import print_kept_help

        print_kept_help()
    else:
        from cli.app import main as command_line

        command_line()


def _is_wide() -> bool:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) >= _HELP_COLUMNS
    try:
        return os.get_terminal_size().columns >= _HELP_COLUMNS
    except OSError:
        return True
