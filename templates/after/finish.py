"""The last step of a job: the results get their manifest, and the model its card.

`python -m templates.after.finish --run-dir R --facts card.json`. The card is added to a model that is complete without
it: whenever this is cut short, the weights are as whole as before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.after.card_text import CARD, CURVE, CardFacts, Stage, body
from templates.after.loss_curve import curves, draw
from templates.agent.manifest import ManifestError, build_manifest, read_manifest, write_manifest
from templates.training.checkpoints import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator

_HARNESS = "https://github.com/EleutherAI/lm-evaluation-harness"
_HUB = "hf://"
_HUB_DATA = "hf://datasets/"


def main(argv: list[str]) -> int:
    """Finish; exit code 1 with `error: …` when there is no whole model, or no facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="The run's folder.")
    parser.add_argument("--facts", type=Path, required=True, help="What the client knows.")
    asked = parser.parse_args(argv)
    run_dir = asked.run_dir.resolve()
    try:
        _seal_results(run_dir / "after" / "results")
        told = json.loads(asked.facts.read_text())
        if told["card"]:
            write_card(run_dir, told)
    except (OSError, ValueError, KeyError, ManifestError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the log
        return 1
    return 0


def write_card(run_dir: Path, told: dict[str, Any]) -> None:
    """Add card and curve to the finished model, and to its manifest.

    Raises:
        ManifestError: There is no model.
        OSError: The disk refused.
    """
    final = run_dir / "final"
    manifest = read_manifest(final)
    lines = _text(run_dir / "metrics.jsonl").splitlines()
    found = curves(lines, told["name"])
    picture = draw(found)
    facts = _facts(run_dir, told, manifest, lines, found)
    texts = {CARD: _metadata(facts, told) + body(facts), **({CURVE: picture} if picture else {})}
    for name, text in texts.items():
        write_durably(final / name, text)
        data = text.encode()
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    write_manifest(final, manifest)


def _seal_results(folder: Path) -> None:
    if folder.is_dir():
        (folder / "MANIFEST.json").unlink(missing_ok=True)
        write_manifest(folder, build_manifest(folder))


def _facts(
    run_dir: Path, told: dict[str, Any], manifest: dict[str, Any], lines: list[str], found: dict[str, Any]
) -> CardFacts:
    verified = _json(run_dir / "markers" / "verify.json")
    status = _json(run_dir / "status.json")
    spent = float(status.get("limits", {}).get("dollars_so_far") or 0.0)
    return CardFacts(
        run_id=told["run_id"],
        name=told["name"],
        base=told["base"],
        stages=[_stage(one, lines, found, _folder(run_dir, one["name"])) for one in told["stages"]],
        parameters=manifest.get("model", {}).get("parameters"),
        machine=told["machine"],
        cost=f"${spent:.2f} until the model was done, by the machine's own meter ({told['prices']}).",
        versions=manifest.get("versions", {}),
        recipe=told["recipe"],
        prompt=str(verified.get("prompt", "")),
        response=str(verified.get("response", "")),
        has_curve=any(found.values()),
        scores=_json(run_dir / "after" / "results" / "evaluation.json"),
        llamalift=told["llamalift"],
    )


def _folder(run_dir: Path, stage: str) -> Path:
    """Where a stage's model is."""
    kept = run_dir / "stages" / stage
    return kept if kept.is_dir() else run_dir / "final"


def _stage(told: dict[str, Any], lines: list[str], found: dict[str, Any], model: Path) -> Stage:
    points = found.get(told["name"], [])
    data, plan = (_last_event(lines, told["name"], kind) for kind in ("data", "plan"))
    curation = _json(model / "curation.json")
    return Stage(
        name=told["name"],
        data=told["data"],
        sha256=curation.get("output_sha256") or _digest(Path(told["data_file"])),
        prompt_format=told["prompt_format"],
        flags=told["flags"],
        deepspeed=told["deepspeed"],
        rows=data.get("rows"),
        tokens=data.get("tokens"),
        steps=plan.get("total_steps"),
        first_loss=points[0][1] if points else None,
        last_loss=points[-1][1] if points else None,
        rules=list(rule_lines(curation)),
    )


def rule_lines(curation: dict[str, Any]) -> Iterator[str]:
    """What the report of a curation says, in lines; none where the data was not curated."""
    if not curation:
        return
    kept, rows = curation["kept"], curation["rows"]
    yield f"`{curation['rules_name']}` (SHA-256 `{curation['rules_sha256'][:16]}…`): {kept:,} of {rows:,} rows kept"
    yield from (f"{rule['name']}: {rule['dropped']:,} rows dropped" for rule in curation["rules"] if rule["dropped"])
    yield f"the data as it came has SHA-256 `{curation['input_sha256']}`"


def _last_event(lines: list[str], stage: str, kind: str) -> dict[str, Any]:
    """What the trainer told last of this kind in a stage."""
    now, found = "", dict[str, Any]()
    for line in lines:
        if f'"event": "{kind}"' in line or '"event": "stage"' in line:
            event = json.loads(line)
            now = str(event["name"]) if event["event"] == "stage" and event.get("of") != 1 else now
            if event["event"] == kind and now in {"", stage}:
                found = event
    return found


def _metadata(facts: CardFacts, told: dict[str, Any]) -> str:
    """The YAML at the top, written by the Hub's own library."""
    from huggingface_hub import EvalResult, ModelCardData

    model = facts.scores.get("models", [""])[-1]
    results = [
        EvalResult(
            task_type="text-generation",
            task_name="Text Generation",
            dataset_type=row["task"],
            dataset_name=row["task"],
            dataset_args=None if row["shots"] is None else {"num_few_shot": row["shots"]},
            metric_type=row["metric"],
            metric_value=round(row["scores"][model]["value"] * 100, 2),
            source_name="lm-evaluation-harness",
            source_url=_HARNESS,
        )
        for row in facts.scores.get("tasks", [])
        if model in row["scores"]
    ]
    base = facts.base.removeprefix(_HUB).partition("@")[0] if facts.base.startswith(_HUB) else None
    data = [one["data"].removeprefix(_HUB_DATA) for one in told["stages"] if one["data"].startswith(_HUB_DATA)]
    card = ModelCardData(
        base_model=base,
        datasets=sorted({"/".join(one.partition("@")[0].split("/")[:2]) for one in data}) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["llamalift", "deepspeed", "instruction-tuning"],
        model_name=facts.name if results else None,
        eval_results=results or None,
    )
    return f"---\n{card.to_yaml()}\n---\n\n"


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
