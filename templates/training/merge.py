"""Put trained adapters into the weights of their base: a whole model, for everything that knows no adapters.

Run by `python -m templates.training.merge --base B --adapter A --target T --dtype bf16 --prompt_format alpaca`, in a
process of its own: ZeRO-3 would share the base out among the ranks, and the GPUs still hold the training.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from templates.training.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def merge_apart(
    base: str, adapter: Path, target: Path, *, dtype: str, prompt_format: str, cache_dir: str | None
) -> None:
    """Merge in a process of its own.

    Raises:
        ModelError: It did not come to its end; the message has its last line.
    """
    argv = [sys.executable, "-m", "templates.training.merge", "--base", base, "--adapter", str(adapter)]
    argv += ["--target", str(target), "--dtype", dtype, "--prompt_format", prompt_format]
    argv += [*(["--cache_dir", cache_dir] if cache_dir else [])]
    environment = {name: value for name, value in os.environ.items() if name not in _LAUNCHER_VARIABLES}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        last = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
        raise ModelError(f"the adapters could not be merged into the model: {last}")


def main(argv: list[str]) -> None:
    """Merge on the CPU, in main memory: the base once, and one layer's adapters at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("base", "adapter", "target", "dtype", "prompt_format"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--cache_dir")
    asked = parser.parse_args(argv)

    from peft import PeftModel
    from transformers import AutoTokenizer

    from templates.training import model as models
    from templates.training import prompts

    # As the training had it: the tokenizer tells which words were added to the base.
    tokenizer = AutoTokenizer.from_pretrained(asked.adapter)
    model = models.load_model(asked.base, models.DTYPES[asked.dtype], asked.cache_dir)
    models.fit_embeddings(model, tokenizer)
    models.stop_at(model, prompts.end_id(asked.prompt_format, tokenizer))
    merged = PeftModel.from_pretrained(model, asked.adapter).merge_and_unload()
    merged.config.use_cache = True
    merged.save_pretrained(asked.target)
    tokenizer.save_pretrained(asked.target)


if __name__ == "__main__":
    main(sys.argv[1:])
