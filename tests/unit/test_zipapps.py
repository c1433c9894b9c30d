from __future__ import annotations

import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from templates import zipapps
from templates.lean import lean
from templates.zipapps import agent_zipapp, trainer_zipapp

_PROJECT = Path(__file__).parents[2]
_AGENT_SOURCES = sorted((_PROJECT / "templates" / "agent").glob("*.py"))


@pytest.mark.parametrize("name", ["agent_zipapp", "trainer_zipapp"])
def test_the_same_sources_give_the_same_bytes(name: str) -> None:
    """An archive built twice, in another process too, is the same one."""
    code = f"import sys; from templates import zipapps; sys.stdout.buffer.write(zipapps.{name}())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=_PROJECT).stdout
    assert getattr(zipapps, name)() == other


def test_the_agent_fits_into_custom_data() -> None:
    """65,535 bytes hold the agent, cloud-init's own text and the keys: the agent may take 50 KB at the very most."""
    assert len(agent_zipapp()) < 50_000


def test_the_agent_is_a_program_by_itself(tmp_path: Path) -> None:
    """It runs without the project, without site-packages and without anything of the caller's environment."""
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(agent_zipapp())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(archive), "manifest", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"agent.pyz"' in done.stdout


def test_the_trainer_brings_along_what_it_shares_with_the_agent() -> None:
    """The manifest, and how disks are looked at; the agent itself stays at home."""
    names = zipfile.ZipFile(io.BytesIO(trainer_zipapp())).namelist()
    assert names == sorted(names)
    of_the_agent = [name for name in names if name.startswith("templates/agent/")]
    shared = ("__init__", "atomic", "disk", "errors", "manifest", "system")
    assert of_the_agent == [f"templates/agent/{name}.py" for name in shared]
    assert "templates/training/save_schedule.py" in names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("path", _AGENT_SOURCES, ids=lambda path: path.stem)
def test_lean_source_is_the_same_program_on_the_same_lines(path: Path) -> None:
    """Only comments and the text of docstrings go; a traceback from the machine names the right line."""
    source = path.read_text()
    assert _program(lean(source)) == _program(source)
    assert len(lean(source).splitlines()) == len(source.splitlines())


def test_lean_keeps_what_only_looks_like_a_comment() -> None:
    """A hash in a string stays, an empty body stays a body, and a text that is not a docstring stays whole."""
    source = 'class A:\n    """Gone\n\n    too."""  # gone\n\n\nx = "# stays"  # gone\ny = """\n# stays  \n"""\n'
    assert lean(source) == 'class A:\n    ""\n\n\n\n\nx = "# stays"\ny = """\n# stays  \n"""\n'


def _program(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            assert isinstance(first, ast.Expr)
            assert isinstance(first.value, ast.Constant)
            first.value.value = ""
            first.end_lineno = first.value.end_lineno = first.lineno
            first.end_col_offset = first.value.end_col_offset = 0
    return ast.dump(tree) + str([node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)])
