"""What is installed is what is tested: the wheel holds every file that the checkout has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cli", "runs", "provisioning", "remote", "templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked; built from a copy, because setuptools leaves its work in the folder that it builds from."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked("."):
        copy = folder / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    source = str(folder / "source")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), source]
    subprocess.run(build, check=True, cwd=folder)
    (file,) = folder.glob("llamalift-*.whl")
    zipfile.ZipFile(file).extractall(folder / "unpacked")
    return folder / "unpacked"


def tracked(*paths: str) -> list[str]:
    """The files that git knows, and that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def run(wheel: Path, program: str, folder: Path) -> str:
    """Run a program that can import the unpacked wheel before anything else."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(wheel)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Data files are forgotten easily: recipes, locks, configs, the tokenizer."""
    packed = {str(file.relative_to(wheel)) for name in PACKAGES for file in (wheel / name).rglob("*") if file.is_file()}
    assert {name for name in packed if "__pycache__" not in name} == set(tracked(*PACKAGES))


def test_a_recipe_can_be_written_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """With everything that it needs beside it."""
    program = (
        "import pathlib, runs; from runs.spec.recipes import write_recipe; print(runs.__file__);"
        "write_recipe('tiny-cpu', pathlib.Path('demo'))"
    )
    assert run(wheel, program, tmp_path).startswith(str(wheel))
    assert {file.name for file in (tmp_path / "demo").iterdir()} == {"run.yaml", "instructions.json", "tiny-llama"}


def test_the_machine_gets_the_same_from_the_wheel_as_from_a_checkout(wheel: Path, tmp_path: Path) -> None:
    """The agent and the trainer are built from installed files, byte for byte."""
    program = (
        "import hashlib; from templates.zipapps import agent_zipapp, trainer_zipapp;"
        "print(*(hashlib.sha256(made()).hexdigest() for made in (agent_zipapp, trainer_zipapp)))"
    )
    assert run(wheel, program, tmp_path) == run(ROOT, program, tmp_path)


def test_the_five_names_are_ours_alone() -> None:
    """Plain top-level packages are safe as long as no other distribution ships the same names."""
    owners = packages_distributions()
    assert {name: set(owners[name]) for name in PACKAGES} == {name: {"llamalift"} for name in PACKAGES}
