"""`llamalift init`, `plan` and `schema` as a script meets them: stdout is data, stderr is talk, exit codes hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def llamalift(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process in `folder`."""
    return subprocess.run(
        [sys.executable, "-c", "from cli.app import main; main()", *words],
        capture_output=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "NO_COLOR": "1"},
        text=True,
    )


def test_from_nothing_to_a_plan_in_two_commands(tmp_path: Path) -> None:
    """`init` prints the run file's path; `plan --json` prints one JSON object and nothing else on stdout."""
    made = llamalift("init", "demo", "--recipe", "tiny-cpu", folder=tmp_path)
    assert (made.returncode, made.stdout.strip()) == (0, "demo/run.yaml")
    assert "next: llamalift plan demo/run.yaml" in made.stderr
    plan = llamalift("plan", "demo/run.yaml", "--json", "--offline", folder=tmp_path)
    assert plan.returncode == 0
    assert json.loads(plan.stdout)["name"] == "tiny-cpu"


def test_a_plan_reads_well(tmp_path: Path) -> None:
    """A line for each thing on stdout; notes and the next command on stderr."""
    llamalift("init", "--recipe", "wizardlm-7b", folder=tmp_path)
    plan = llamalift("plan", "--offline", folder=tmp_path)
    assert plan.returncode == 0
    for words in ("4 x A100-80GB", "94.3 GB a checkpoint x 4", "P30", "45 of 80 GB", "1,290 steps"):
        assert words in " ".join(plan.stdout.split())
    assert "next: llamalift up run.yaml" in plan.stderr


def test_a_wrong_run_file_exits_with_2_and_clickable_lines(tmp_path: Path) -> None:
    """Each problem is file:line:column, path, message, nearest key; stdout stays empty."""
    llamalift("init", folder=tmp_path)
    run_file = tmp_path / "run.yaml"
    run_file.write_text(run_file.read_text().replace("  size:", "  siz:"))
    plan = llamalift("plan", folder=tmp_path)
    assert (plan.returncode, plan.stdout) == (2, "")
    line = run_file.read_text().splitlines().index("  siz: Standard_NC96ads_A100_v4") + 1
    assert f"run.yaml:{line}:3: machine.siz: unknown key: siz (did you mean size?)" in plan.stderr
    assert "hint:" in plan.stderr


def test_init_twice_exits_with_2(tmp_path: Path) -> None:
    """Nothing is overwritten, and it says so."""
    llamalift("init", folder=tmp_path)
    again = llamalift("init", folder=tmp_path)
    assert again.returncode == 2
    assert "never overwritten" in again.stderr


def test_the_schema_is_json_and_the_reference_is_markdown(tmp_path: Path) -> None:
    """Editors take the one, the documentation the other."""
    schema = json.loads(llamalift("schema", folder=tmp_path).stdout)
    assert schema["required"] == ["name", "model", "data"]
    assert llamalift("schema", "--markdown", folder=tmp_path).stdout.startswith("# The run file\n")
