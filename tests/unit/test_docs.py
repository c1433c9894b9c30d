"""The prose agrees with the code: links, commands, options, run-file keys and exit codes that it names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.app import app
from cli.boundary import EXIT_CLOSED_PIPE, EXIT_CLOUD, EXIT_INTERRUPTED, EXIT_LEFTOVERS, EXIT_REMOTE
from runs import errors
from runs.plan import make_plan
from runs.spec.load import load_run_file
from runs.spec.recipes import write_recipe
from runs.spec.run_file import RunFile

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# A changelog tells of versions past, whose commands may be gone.
CURRENT_PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^```[^\n]*\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND_LINE = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?llamalift ([^\n#]+)", re.MULTILINE)
EMPTY_WORDS = re.compile(r"\b(simply|seamless\w*|powerful|blazing\w*|effortless\w*|magic\w*)\b", re.IGNORECASE)
SECTIONS = ("machine", "storage", "model", "data", "train", "checkpoints", "collect", "limits", "after")
RUN_FILE_KEY = re.compile(rf"`(?!\S*\.(?:py|json)`)((?:{'|'.join(SECTIONS)})(?:\.[a-z_0-9]+)+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that exists, also on a page that mkdocs does not build."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_options_exist(page: Path) -> None:
    """Every `llamalift …` that a page shows has a command of that name with the options shown."""
    options = {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]  # a group has commands
    }
    code = "\n".join(block or span for block, span in CODE.findall(page.read_text(encoding="utf-8")))
    for line in COMMAND_LINE.findall(code):
        name, *words = line.split("|")[0].split()
        if name.startswith("-"):
            continue
        assert name in options, line
        used = {word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        assert used <= options[name] | {"--help"}, line


@pytest.mark.parametrize("page", CURRENT_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_run_file_keys_exist(page: Path) -> None:
    """Every key of the run file that a page names is in its schema."""
    schema = RunFile.model_json_schema(by_alias=True)
    keys = RUN_FILE_KEY.findall(page.read_text(encoding="utf-8"))
    assert [key for key in keys if not has_key(schema, schema, key.split("."))] == []


def has_key(schema: dict[str, Any], node: dict[str, Any], path: list[str]) -> bool:
    """Whether `path` leads from `node` to a property, through references and alternatives."""
    if not path:
        return True
    if "$ref" in node:
        return has_key(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], path)
    if any(has_key(schema, one, path) for one in (*node.get("anyOf", ()), *node.get("allOf", ()))):
        return True
    child = node.get("properties", {}).get(path[0])
    return child is not None and has_key(schema, child, path[1:])


def test_exit_codes_page_lists_every_code() -> None:
    """The table of exit codes has exactly the codes that the code uses, with 0 and Python's own 1."""
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RunError)]
    trees = {kind.exit_code for kind in kinds}
    assert listed == {0, 1, EXIT_CLOUD, EXIT_REMOTE, EXIT_LEFTOVERS, EXIT_INTERRUPTED, EXIT_CLOSED_PIPE, *trees}


def test_guide_has_the_figures_of_the_plan(tmp_path: Path) -> None:
    """What the 7B guide says that `llamalift plan` says is what it says."""
    plan = make_plan(load_run_file(write_recipe("wizardlm-7b", tmp_path)))
    assert plan.data
    assert plan.steps
    assert plan.saves
    assert plan.cost.total
    guide = " ".join((ROOT / "docs" / "guides" / "azure-7b.md").read_text(encoding="utf-8").split())
    *earlier, last = (f"{step:,}" for step in plan.saves.steps)
    for figure in (
        f"{plan.data.rows:,} rows",
        f"{plan.steps:,} steps",
        f"{plan.need.checkpoint / 1e9:.1f} GB for a checkpoint",
        f"the rest need {plan.need.total / 1e9:.0f} GB",
        f"after steps {', '.join(earlier)} and {last}",
        f"${plan.cost.total:.0f} at list prices",
    ):
        assert figure in guide


def test_readme_begins_with_the_two_commands() -> None:
    """The first screen has both commands, the Python version and what they take on the disk."""
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:24])
    assert all(words in first_screen for words in ("make demo", "make test", "Python 3.11", "170 MB", "2 GB"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_prose_keeps_the_house_voice(page: Path) -> None:
    """No words that only sound good."""
    assert EMPTY_WORDS.findall(page.read_text(encoding="utf-8")) == []
