"""Tiny base models of other families than LLaMA, made from their configuration; no download."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

_SIZES = {
    "qwen2": {
        "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "tie_word_embeddings": True,
    },
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512},
}  # fmt: skip
_MAKE = """
import json, sys
import torch
from transformers import AutoConfig, AutoModelForCausalLM
torch.manual_seed(0)
config = AutoConfig.for_model(sys.argv[2], **json.loads(sys.argv[3]))
AutoModelForCausalLM.from_config(config).save_pretrained(sys.argv[1])
"""


def write_tiny_model(folder: Path, family: str, python: Path, *, chat_template: str | None = None) -> None:
    """Write a model folder of a family, with the tiny LLaMA's tokenizer and perhaps a chat template.

    Args:
        folder: Made when it is not there; files in it are replaced.
        family: qwen2 or gpt2.
        python: The training environment's Python.
        chat_template: What the tokenizer brings along.
    """
    write_tiny_llama(folder)
    sizes = {**_SIZES[family], "vocab_size": 1000, "bos_token_id": 1, "eos_token_id": 2}
    argv = [str(python), "-c", _MAKE, str(folder), family, json.dumps(sizes)]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    if chat_template:
        (folder / "chat_template.jinja").write_text(chat_template)
