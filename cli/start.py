"""Where `llamalift` begins. What a shell asks while somebody types must not wait for the command line to be built."""

from __future__ import annotations

import sys

# The completion scripts ask for run ids with it; no person types it (cli.completion).
RUN_IDS = "__run-ids"


def main() -> None:
    """Run the command line, or answer a shell that completes a run id."""
    if sys.argv[1:2] == [RUN_IDS]:
        from cli.completion.run_ids import print_run_ids

        print_run_ids(active_only=sys.argv[2:3] == ["active"])
        return
    from cli.app import main as command_line

    command_line()
