"""Adapters, packs and other families of models: the real trainer, and what its batches compute."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.manifest import check_manifest
from templates.training.sizes import checkpoint_bytes
from tests.fakes.model_families import write_tiny_qwen2
from tests.fakes.training_run import TrainingRun

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

# Four rows a step of 32, in one process: 8 steps without packs, saved at 4 and at the end.
FLAGS = shlex.split(
    "--model_name_or_path base --data_path data.json --output_dir checkpoints --num_train_epochs 1 "
    "--model_max_length 256 --per_device_train_batch_size 4 --learning_rate 2e-3 --logging_steps 1 --bf16 True "
    "--gradient_checkpointing True --deepspeed configs/deepspeed_config.json "
    '--llamalift_schedule \'{"first_interval": 4, "last_interval": 4, "max_share": 1.0}\''
)
ROWS = 32
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def prepared(folder: Path, python: Path, deepspeed: str) -> TrainingRun:
    """A run folder with few rows, and the base model under `base`."""
    run = TrainingRun.prepare(folder, python, deepspeed)
    (run.folder / "huggyllama" / "llama-7b").rename(run.folder / "base")
    rows = json.loads((run.folder / "data.json").read_text())[:ROWS]
    (run.folder / "data.json").write_text(json.dumps(rows))
    return run


def step_again(run: TrainingRun, after: int, flags: list[str]) -> tuple[list[tuple[object, ...]], str]:
    """Go on from an earlier checkpoint as if nothing had come after it; give the curve and the model's digest."""
    for name in ("final", "markers"):
        shutil.rmtree(run.folder / name)
    for folder in (run.folder / "checkpoints").glob("checkpoint-*"):
        if folder.name != f"checkpoint-{after}":
            shutil.rmtree(folder)
    assert run.train(flags, processes=1) == 0, run.log()
    assert f"going on from checkpoint-{after}" in run.notes()
    return run.curve(), run.digest()


def test_adapters_are_trained_merged_and_gone_on_with(machine_python: Path, tmp_path: Path) -> None:
    """ZeRO-3, ChatML: small checkpoints, exact resume, a whole model, and the adapters beside it."""
    run = prepared(tmp_path / "run", machine_python, "zero3")
    lora = json.dumps({"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["q_proj", "v_proj"]})
    flags = [*FLAGS, "--lora", lora, "--prompt_format", "chatml"]
    assert run.train(flags, processes=1) == 0, run.log()
    saved = run.folder / "checkpoints" / "checkpoint-4"
    # Both embeddings are trained as well, since ChatML's two tokens are new: 2 x 1,003 x 128, and 4 x 2 x 1,024.
    assert any("adapters of 264,960 parameters" in note for note in run.notes())
    assert run.events("save")[0]["bytes"] < checkpoint_bytes(264_960, 3, "fp32")
    assert not (saved / "model.safetensors").exists()
    curve, digest = run.curve(), run.digest()
    assert curve[-1][1] < curve[0][1]  # type: ignore[operator]  # losses are numbers
    assert step_again(run, 4, flags) == (curve, digest)
    assert check_manifest(run.folder / "final") == []
    assert (run.folder / "final" / "adapter" / "adapter_model.safetensors").exists()
    assert json.loads((run.folder / "final" / "prompt_format.json").read_text()) == {
        "name": "chatml",
        "end": "<|im_end|>",
    }
    verified = run.verify()
    assert verified.returncode == 0, verified.stderr
    marker = run.marker("verify") or {}
    assert marker["parameters"] == 1_059_968 + 2 * 3 * 128
    assert marker["prompt"].endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_packs_of_another_family_are_gone_on_with(machine_python: Path, tmp_path: Path) -> None:
    """Qwen2 with its own chat template, conversations in packs: about the rows a step, exact resume, a model."""
    run = prepared(tmp_path / "run", machine_python, "zero2")
    write_tiny_qwen2(run.folder / "base", machine_python, TEMPLATE)
    rows = json.loads((run.folder / "data.json").read_text())
    spoken = [
        {"messages": [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]}
        for row in rows
    ]
    (run.folder / "data.json").write_text("\n".join(map(json.dumps, spoken)))
    every_second = ["--llamalift_schedule", '{"first_interval": 2, "last_interval": 2, "max_share": 1.0}']
    flags = [*FLAGS, "--prompt_format", "tokenizer", "--packing", "bfd", *every_second]
    assert run.train(flags, processes=1) == 0, run.log()
    (note,) = (note for note in run.notes() if note.startswith("packing bfd"))
    assert note.startswith("packing bfd: 32 rows in ")
    total = run.events("plan")[0]["total_steps"]
    # As many steps as without packs, but for what does not divide.
    assert 6 <= total <= 10
    curve, digest = run.curve(), run.digest()
    assert len(curve) == total
    assert step_again(run, 4, flags) == (curve, digest)
    assert run.verify().returncode == 0
    assert (run.marker("verify") or {})["prompt"].startswith("<s><user>")


_COMPUTE = """
import json, sys
import torch
from pathlib import Path
from torch.nn.functional import cross_entropy
from templates.training import dataset, prompts, row_attention
from templates.training.collating import collator_for
from templates.training.model import fit_embeddings, keeps_rows_apart, load_model, load_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

def losses(model, batch):
    logits = model(**{name: value for name, value in batch.items() if name != "labels"}).logits[0, :-1].float()
    labels = batch["labels"][0, 1:]
    return cross_entropy(logits, labels, ignore_index=-100, reduction="none")[labels != -100].tolist()

def looked_at(model):
    model.eval()
    fit_embeddings(model, tokenizer)
    attention = model.config._attn_implementation
    said = {"keeps_apart": keeps_rows_apart(model), "attention": attention, "modes": {}}
    for packing, (rows, counts) in data.items():
        collate = collator_for(packing, tokenizer, attention)
        at_once = 4 if packing == "flat" else 1
        batches = [
            collate([dict(rows[n]) for n in range(start, min(start + at_once, len(rows)))])
            for start in range(0, len(rows), at_once)
        ]
        said["modes"][packing] = {
            "losses": sorted(loss for batch in batches for loss in losses(model, batch)),
            "packs": counts.packs, "rows": counts.rows, "unlearnt": counts.unlearnt,
        }
    # A row's tokens say nothing to the next row: change the first row, and look at the second.
    first, second, other = (dict(row) for row in data["none"][0].select(range(3)))
    collate = collator_for("flat", tokenizer, attention)
    other = {name: (other[name] * 9)[: len(first[name])] for name in first}
    tail = len(second["input_ids"])
    seen = []
    for before in (first, other):
        batch = collate([before, second])
        batch.pop("labels")
        seen.append(model(**batch).logits[0, -tail:])
    said["leak"] = (seen[0] - seen[1]).abs().max().item()
    return said

base, path, cache = map(Path, sys.argv[1:4])
tokenizer = load_tokenizer(str(base), 128, None)
prompts.equip("alpaca", tokenizer)
data = {
    packing: dataset.load(dataset.prepare(path, tokenizer, dataset.Shape("alpaca", 128, packing), cache))
    for packing in ("none", "flat", "bfd", "bfd_split", "wrapped")
}
torch.manual_seed(0)
gpt2 = AutoConfig.for_model("gpt2", n_embd=64, n_layer=2, n_head=4, n_positions=512, vocab_size=1000)
gpt2.bos_token_id, gpt2.eos_token_id, gpt2.use_cache = 1, 2, False
with torch.no_grad():
    said = {
        "llama": looked_at(load_model(str(base), torch.float32, None)),
        "llama_rows": looked_at(load_model(str(base), torch.float32, None, row_attention.register())),
        "gpt2": looked_at(AutoModelForCausalLM.from_config(gpt2)),
        "gpt2_rows": looked_at(AutoModelForCausalLM.from_config(gpt2, attn_implementation=row_attention.NAME)),
    }
model = load_model(str(base), torch.float32, None, row_attention.NAME).train()
try:
    model(torch.ones(1, 8, dtype=torch.int64))
except row_attention.DataError as error:
    said["untold"] = str(error)
print(json.dumps(said))
"""


def test_packing_changes_no_label_and_no_loss(machine_python: Path, tmp_path: Path) -> None:
    """Token by token the loss is that of the unpacked rows to 1e-4, and a row in a pack sees nothing of another.

    For LLaMA, whose positions are relative, and for GPT-2, whose positions are learnt; with masks, and row by row. An
    attention that is not told the rows' lengths while it learns refuses.
    """
    run = prepared(tmp_path / "run", machine_python, "zero2")
    said: dict[str, Any] = json.loads(run.python_says(_COMPUTE, "base", "data.json", "cache"))
    assert "the rows' lengths" in said.pop("untold")
    for name, found in said.items():
        assert found["attention"] == ("sdpa_rows" if name.endswith("_rows") else "sdpa")
        _check(found)


def _check(said: dict[str, Any]) -> None:
    assert said["keeps_apart"]
    assert said["leak"] == 0
    plain = said["modes"]["none"]
    for packing in ("flat", "bfd"):
        found = said["modes"][packing]
        assert found["losses"] == pytest.approx(plain["losses"], abs=1e-4)
        assert found["rows"] == plain["rows"]
        assert found["unlearnt"] == 0
    assert 0 < said["modes"]["bfd"]["packs"] < plain["rows"]
    # What is split is learnt whole, but for the first token of each piece: more than where long rows are cut.
    for packing in ("bfd_split", "wrapped"):
        found = said["modes"][packing]
        assert len(found["losses"]) + found["unlearnt"] >= len(plain["losses"])
