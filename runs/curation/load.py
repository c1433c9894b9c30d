"""Read rule files: all that is wrong with one at once, each with its line."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from runs.curation.rule_checks import broken_rules, problem_at
from runs.curation.rule_file import Length, RuleFile, RuleItem
from runs.errors import Problem, SpecError
from runs.spec.complaints import complaints
from runs.spec.yaml_reader import read_yaml
from templates.curation.rules import Rule, RuleSet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runs.spec.yaml_reader import Document, Place

_SETS = Path(__file__).parents[2] / "templates" / "curation" / "sets"
_HINT = "how a rule file is written: docs/guides/curate.md; the shipped sets: `llamalift curate --help`"


def shipped_sets() -> Mapping[str, Path]:
    """Give the shipped rule sets by name."""
    return {path.stem: path for path in sorted(_SETS.glob("*.yaml"))}


def is_file_name(named: str) -> bool:
    """Tell the name of a rule file from that of a shipped set."""
    return named.endswith((".yaml", ".yml")) or "/" in named


def load_rules(named: Sequence[str], folder: Path) -> RuleSet:
    """Read rule sets and put them one after the other.

    Args:
        named: Names of shipped sets, or rule files.
        folder: What relative paths are relative to.

    Raises:
        SpecError: There is no such set, or a file cannot be read or is wrong; carries every problem of that file.
    """
    sets = [_load(one, folder, ()) for one in named]
    rules: dict[str, Rule] = {}
    for one in sets:
        for rule in one.rules:
            if rules.get(rule.name, rule) != rule:
                rule = replace(rule, name=f"{one.name}: {rule.name}")  # noqa: PLW2901
            rules[rule.name] = rule
    return RuleSet(" + ".join(dict.fromkeys(one.name for one in sets)), tuple(rules.values()))


def _load(named: str, folder: Path, above: tuple[Path, ...]) -> RuleSet:
    path = _path_of(named, folder)
    if path in above:
        raise SpecError(f"a rule file includes itself: {path}", hint=_HINT)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the rule file: {path} ({error.strerror})", hint=_HINT) from error
    document = read_yaml(content)
    problems = list(document.problems)
    if document.values is None and not problems:
        problems.append(Problem("", "empty; a rule file has rules"))
    file, found = _validate(document) if document.values is not None else (None, [])
    problems += found
    if file is None or problems:
        raise _wrong(path, problems)
    included = [_load(one, path.parent, (*above, path)) for one in file.include]
    rules = (*(rule for one in included for rule in one.rules), *(item.rule() for item in file.rules))
    return RuleSet(file.name or path.stem, tuple({rule.name: rule for rule in rules}.values()))


def _path_of(named: str, folder: Path) -> Path:
    if is_file_name(named):
        return (folder / Path(named).expanduser()).resolve()
    sets = shipped_sets()
    if named not in sets:
        near = difflib.get_close_matches(named, sets, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"shipped are {', '.join(sets)}; a file of yours ends in .yaml"
        raise SpecError(f"no such rule set: {named}", hint=hint)
    return sets[named]


def _validate(document: Document) -> tuple[RuleFile | None, list[Problem]]:
    try:
        return RuleFile.model_validate_json(json.dumps(document.values)), list(broken_rules(document))
    except ValidationError as error:
        errors = error.errors()
        known = [one for one in errors if one["type"] != "extra_forbidden"]
        unknown = [_unknown(one["loc"], document) for one in errors if one["type"] == "extra_forbidden"]
        return None, [*complaints(known, document), *unknown, *broken_rules(document)]


def _unknown(place: Place, document: Document) -> Problem:
    models: Mapping[int, type[BaseModel]] = {1: RuleFile, 3: RuleItem}
    model = models.get(len(place), Length)
    near = difflib.get_close_matches(str(place[-1]), model.model_fields, n=1, cutoff=0.6)
    return problem_at(document, place, f"unknown key: {place[-1]}", of_key=True, suggestion=near[0] if near else "")


def _wrong(path: Path, problems: list[Problem]) -> SpecError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return SpecError(f"{count} in the rule file: {path}", ordered, file=str(path), hint=_HINT)
