"""`llamalift --help` is printed from a file that says what Typer would say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cli import help_text
from cli.help_text import made_help


def of_start(*, columns: str) -> subprocess.CompletedProcess[str]:
    """`llamalift --help` as a process, and on its last line whether it loaded Typer."""
    code = (
        "import sys, atexit; sys.argv = ['llamalift', '--help'];"
        "atexit.register(lambda: print('typer' in sys.modules, file=sys.stderr));"
        "from cli.start import main; main()"
    )
    environment = {**os.environ, "COLUMNS": columns}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)


def test_the_kept_help_is_the_made_one() -> None:
    """Otherwise `python -m cli.help_text` writes it anew."""
    with open(help_text._FILE, encoding="utf-8") as kept:  # noqa: PTH123 - as it is read
        assert kept.read() == made_help(), "the commands have changed: run `python -m cli.help_text`"


@pytest.mark.parametrize("columns", ["80", "200"])
def test_help_loads_no_typer(columns: str) -> None:
    """It is read, and nothing else."""
    done = of_start(columns=columns)
    assert (done.stdout, done.stderr) == (made_help(), "False\n")


def test_a_narrow_terminal_gets_help_that_fits() -> None:
    """Laid out for its width."""
    done = of_start(columns="60")
    assert done.stderr == "True\n"
    assert max(len(line) for line in done.stdout.splitlines()) <= 60
