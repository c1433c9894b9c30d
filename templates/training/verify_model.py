"""Load the final model as its user will, in a process of its own, and ask it something.

Run by `python -m templates.training.verify_model --run-dir R`; the marker it leaves is what success means.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent.manifest import check_manifest, read_manifest
from templates.training import prompts
from templates.training.checkpoints import write_durably
from templates.training.conversations import asked
from templates.training.finish import MARKER as TRAINED
from templates.training.metrics import Metrics

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MARKER = "verify.json"
QUESTION = "Name three things that you would take along on a long walk."
_NEW_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def main(argv: list[str]) -> int:
    """Verify; exit code 1 and a problem event when the model is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    run_dir = parser.parse_args(argv).run_dir.resolve()
    metrics = Metrics(run_dir / "metrics.jsonl")
    metrics.phase("verifying")
    # What an earlier model was found to be says nothing of this one.
    (run_dir / "markers" / MARKER).unlink(missing_ok=True)
    checks, facts = verify(run_dir / "final")
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    if failed:
        metrics.problem("bad_model", f"the final model is not usable: {'; '.join(failed)}")
        # Its checkpoint is still there: the next time training is asked for, the model is made from it again.
        (run_dir / "markers" / TRAINED).unlink(missing_ok=True)
        return 1
    words = {"finished_at": time.time(), **facts, "checks": [f"{check.name}: {check.detail}" for check in checks]}
    (run_dir / "markers").mkdir(exist_ok=True)
    write_durably(run_dir / "markers" / MARKER, json.dumps(words))
    return 0


def verify(folder: Path) -> tuple[list[Check], dict[str, object]]:
    """Give what was checked and the facts for the marker; later checks are left out when an early one fails."""
    differences = check_manifest(folder)
    checks = [Check("files", not differences, "; ".join(differences[:3]) or "as in the manifest")]
    if differences:
        return checks, {}
    checks += _base_checks(folder)
    # Everything is in the folder: a hub that is away, or has another model of the name, must not matter.
    os.environ["HF_HUB_OFFLINE"] = "1"
    tokenizer, model, loading = _load(folder)
    checks += [*_loading_checks(loading), _tensor_check(folder, model), _vocabulary_check(model, tokenizer)]
    if not all(check.ok for check in checks):
        return checks, {}
    prompt_format = prompts.format_of(folder, tokenizer)
    answer, tokens = _ask(model, tokenizer, prompt_format)
    checks.append(Check("answer", tokens > 0, f"{tokens} tokens"))
    return checks, {
        "parameters": model.num_parameters(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "prompt": prompts.prompt_text(prompt_format, asked(QUESTION), tokenizer),
        "response": answer,
    }


def _base_checks(folder: Path) -> list[Check]:
    """None for a model whose manifest says nothing of its base (written by an earlier version)."""
    from templates.training.base_check import against_base

    facts = read_manifest(folder).get("model")
    if not facts:
        return []
    problems, compared = against_base(folder, facts)
    return [Check("base", not problems, "; ".join(problems[:3]) or compared)]


def _load(folder: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, dict[str, object]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, loading = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tokenizer, model.to(device).eval(), loading


def _loading_checks(loading: dict[str, object]) -> list[Check]:
    """Missing or misshaped tensors are filled in at random by from_pretrained, with no more than a warning."""
    names = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
    return [Check(name.replace("_", " "), not loading.get(name), str(loading.get(name) or "none")) for name in names]


def _tensor_check(folder: Path, model: PreTrainedModel) -> Check:
    from templates.training.final_model import tensor_problems
    from templates.training.model import whole_shapes

    problems = list(tensor_problems(folder, whole_shapes(model)))
    return Check("tensors", not problems, "; ".join(problems[:3]) or "all there, in shape and finite")


def _vocabulary_check(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Check:
    rows = model.get_input_embeddings().weight.shape[0]
    return Check("vocabulary", len(tokenizer) <= rows, f"{len(tokenizer)} tokens, {rows} embeddings")


def _ask(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt_format: str) -> tuple[str, int]:
    """Give the answer and how many tokens it has; greedy, so that it is the same each time."""
    import torch

    ids = torch.tensor([prompts.prompt_ids(prompt_format, asked(QUESTION), tokenizer)], device=model.device)
    with torch.inference_mode():
        tokens = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=_NEW_TOKENS, do_sample=False)[
            0
        ]
    answer = tokens[ids.shape[1] :]
    return tokenizer.decode(answer, skip_special_tokens=True).strip(), len(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
