"""The installer on a machine as Azure's images are: no ensurepip, a small system disk, apt that is not at its best."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from remote.environment import UV_VERSION

if TYPE_CHECKING:
    from pathlib import Path

_VENV = """
import os, subprocess, sys
if not os.path.exists({marker!r}):
    sys.exit("ensurepip is not available")
environment = {{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}}
sys.exit(subprocess.run([sys.executable, "-m", "venv", *sys.argv[1:]], env=environment).returncode)
"""
_SUDO = """#!/bin/sh
printf "%s\\n" "$*" >> {said}
case "$*" in
  *update*) exit 100 ;;
  *install*) touch {marker} ;;
esac
"""
# Stands for pip and uv: what the machine would run, written down.
_PYTHON = """#!/bin/sh
printf "%s\\n" "$*" >> {said}
"""


def _install(folder: Path, tool: str, **environment: str) -> subprocess.CompletedProcess[str]:
    request = {
        "folder": str(folder), "lock": "", "tool": tool, "uv_version": UV_VERSION, "oldest_python": [3, 11],
    }  # fmt: skip
    program = files("templates.environment").joinpath("install.py").read_text(encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(request), env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_a_repository_that_does_not_answer_keeps_nobody_from_installing_venv(tmp_path: Path) -> None:
    """Ubuntu has no ensurepip; `apt-get update` fails as a whole when one foreign repository does."""
    marker, said = tmp_path / "installed", tmp_path / "sudo.log"
    _program(tmp_path / "bin" / "sudo", _SUDO.format(said=said, marker=marker))
    _program(tmp_path / "modules" / "venv" / "__main__.py", _VENV.format(marker=str(marker)))
    (tmp_path / "modules" / "venv" / "__init__.py").touch()
    done = _install(
        tmp_path / "env",
        "pip",
        PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        PYTHONPATH=str(tmp_path / "modules"),
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "env" / ".complete").exists()
    # sudo hands on no variable of ours, so that it must be set behind it.
    assert all(
        line.startswith("-n env DEBIAN_FRONTEND=noninteractive apt-get ") for line in said.read_text().splitlines()
    )


def test_gigabytes_of_cuda_wheels_are_unpacked_on_the_workspace(tmp_path: Path) -> None:
    """By hard links in place, not through /tmp: the system disk of a GPU image has little room, and is slower."""
    said = tmp_path / "python.log"
    _program(
        tmp_path / "modules" / "venv" / "__main__.py",
        "import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1], 'bin', 'python')\n"
        "path.parent.mkdir(parents=True)\n"
        f"path.write_text({_PYTHON.format(said=said)!r})\n"
        "path.chmod(0o755)\n",
    )
    (tmp_path / "modules" / "venv" / "__init__.py").touch()
    done = _install(tmp_path / "env", "uv", PYTHONPATH=str(tmp_path / "modules"))
    assert done.returncode == 0, done.stdout
    sync = next(line.split() for line in said.read_text().splitlines() if "sync" in line.split())
    assert "--require-hashes" in sync
    assert sync[sync.index("--cache-dir") + 1].startswith(f"{tmp_path / 'env'}/")
    assert not (tmp_path / "env" / "uv").exists()
