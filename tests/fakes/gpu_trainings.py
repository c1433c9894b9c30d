"""A LLaMA of 1.3 or 6.7 billion parameters trained on this machine's GPU, by the real trainer under DeepSpeed."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import shutil
import statistics
import threading
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runs.plan.adapters import trained_parameters
from runs.plan.memory import Sharding
from runs.plan.memory_fit import MemoryUse, memory_fit
from runs.plan.model_shape import ModelShape, known_shapes
from runs.plan.sizes import Gpu
from runs.spec.train import Train
from templates.agent.watchers import Gpus
from tests.fakes.training_run import TrainingRun, children, wait_until_gone

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Sheared-LLaMA's 1.3B, whose heads have LLaMA's 128 channels; LLaMA's own 7B, for which one GPU of 80 GB is too small;
# and one of a tenth of the first, whose checkpoints are small.
SHAPES = {"1.3b": ModelShape(2048, 24, 5504, 32000, 16, 16), "7b": known_shapes()["huggyllama/llama-7b"]}
SMALL = ModelShape(768, 12, 2048, 32000, 12, 12)
MICRO, LONGEST, EVERY = 8, 2048, 5
# Words of a row: their logarithm's mean and deviation. A word of instruction data is about three of the tiny
# tokenizer's tokens; with the prompt a row has some 500 tokens, as WizardLM's data has.
_SEED, _LOG_MEAN, _LOG_DEVIATION = 20230501, 4.6, 0.8
_WRITE = """
import json, sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
    model = LlamaForCausalLM(LlamaConfig(**json.loads(sys.argv[1]))).to(torch.bfloat16)
model.save_pretrained(sys.argv[2])
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to train.

    Attributes:
        name: What the table calls it.
        asked: The run file's section `train`, beside what all ways share.
    """

    name: str
    asked: dict[str, Any] = field(default_factory=dict)

    @property
    def train(self) -> Train:
        """The section as a run file's is read."""
        shared = {"model_max_length": LONGEST, "per_device_train_batch_size": MICRO, "logging_steps": EVERY}
        single = {"gradient_accumulation_steps": 1, "packing": "none"}
        return Train.model_validate({**shared, **single, **self.asked})


@dataclass
class Seen:
    """What the driver told while something ran, as the agent asks it: the most memory, and the power."""

    memory_bytes: int = 0
    watts: list[float] = field(default_factory=list)


def write_base(folder: Path, run: TrainingRun, shape: ModelShape) -> Path:
    """Write a model with random weights and the rehearsal's tokenizer."""
    config = {
        "hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocabulary, "num_attention_heads": shape.heads, "max_position_embeddings": LONGEST,
        "num_key_value_heads": shape.key_value_heads,
    }  # fmt: skip
    run.python_says(_WRITE, json.dumps(config), str(folder))
    for tokenizer in (run.folder / "huggyllama" / "llama-7b").glob("*token*"):
        shutil.copy(tokenizer, folder)
    return folder


def write_rows(path: Path, count: int, *, words: int = 0) -> Path:
    """Write rows with the lengths of instruction data, or of so many words each."""
    drawn = random.Random(_SEED)  # noqa: S311 - a fixed seed is the point
    source = json.loads((files("templates") / "data" / "instructions.json").read_text())
    text = [word for row in source for word in f"{row['instruction']} {row['output']}".split()]
    rows = []
    for _ in range(count):
        length = words or max(4, round(drawn.lognormvariate(_LOG_MEAN, _LOG_DEVIATION)))
        chosen = [drawn.choice(text) for _ in range(length)]
        asked = length // 4
        rows.append({"instruction": " ".join(chosen[:asked]), "output": " ".join(chosen[asked:])})
    path.write_text(json.dumps(rows))
    return path


def prepared(folder: Path, python: Path, way: Way, data: Path) -> TrainingRun:
    """Make the run folder of one training."""
    run = TrainingRun.prepare(folder, python, way.train.deepspeed)
    shutil.copy(data, run.folder / "data.json")
    return run


def flags(base: Path, way: Way, steps: int) -> list[str]:
    """Give the command line of one training."""
    words = f"--model_name_or_path {base} --data_path data.json --output_dir checkpoints --max_steps {steps} "
    return [*words.split(), "--deepspeed", "configs/deepspeed_config.json", *way.train.argv()]


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Ask the driver as often as the agent does."""
    seen, over, gpus = Seen(), threading.Event(), Gpus()

    def look() -> None:
        while (pause := gpus.look()) is not None and not over.wait(pause):
            for gpu in gpus.seen:
                seen.memory_bytes = max(seen.memory_bytes, gpu["memory_used_bytes"] or 0)
                seen.watts.append(gpu["power_watts"] or 0.0)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def measure(run: TrainingRun, words: Sequence[str], steps: int) -> dict[str, Any]:
    """Train so many steps without saving, then end it; give the means of the second half.

    Raises:
        AssertionError: It did not train so far.
    """
    with watched() as seen:
        process = run.start([*words, "--save_strategy", "no"], processes=1)
        try:
            run.wait_for("step", process, steps // EVERY)
        finally:
            kill(process)
    told = run.events("step")[steps // EVERY // 2 - 1 : steps // EVERY]
    # Windows weigh by what they took: rows of like length make quick ones with few tokens and slow ones with many.
    seconds = [after["t"] - before["t"] for before, after in itertools.pairwise(told)]
    data = run.events("data")[0]
    busy = sorted(seen.watts)[len(seen.watts) // 2 :]

    def mean(name: str) -> float:
        weighed = (float(step.get(name) or 0.0) * took for step, took in zip(told[1:], seconds, strict=True))
        return float(sum(weighed) / sum(seconds))

    return {
        "tokens_per_second": round(mean("tokens_per_second")),
        "mfu": round(mean("mfu"), 4),
        "step_seconds": round(sum(seconds) / len(seconds) / EVERY, 3),
        "peak_gib": round(seen.memory_bytes / 2**30, 1),
        "watts": round(statistics.median(busy)) if busy else 0,
        "losses": [round(float(step["loss"]), 3) for step in (told[0], told[-1])],
        "mean_tokens": round(data["tokens"] / data["rows"]),
    }


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the launcher, which takes its ranks along, and wait until they are gone."""
    ranks = list(children(process.pid))
    process.kill()
    process.wait()
    wait_until_gone(ranks)


def estimated_gib(way: Way, shape: ModelShape, memory_gb: int) -> float:
    """Give what `plan` says that a way takes."""
    stage, offloads = way.train.deepspeed.removeprefix("zero")[:1], "offload" in way.train.deepspeed
    trained = trained_parameters(way.train, shape.parameters, shape)
    use = MemoryUse(shape.parameters, shape, way.train, Gpu("this", memory_gb, 1), 1, trained)
    return round(memory_fit(use, Sharding(int(stage), offloads_optimizer=offloads)).taken_bytes / 2**30, 1)
