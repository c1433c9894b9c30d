"""A tiny base model of another family than LLaMA, made from its configuration; no download."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

# Fewer heads for keys and values, and one matrix for both embeddings: unlike the tiny LLaMA.
_QWEN2 = {
    "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "tie_word_embeddings": True, "vocab_size": 1000,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_MAKE = """
import json, sys
import torch
from transformers import AutoConfig, AutoModelForCausalLM
torch.manual_seed(0)
config = AutoConfig.for_model("qwen2", **json.loads(sys.argv[2]))
AutoModelForCausalLM.from_config(config).save_pretrained(sys.argv[1])
"""


def write_tiny_qwen2(folder: Path, python: Path, chat_template: str) -> None:
    """Write a model folder with the tiny LLaMA's tokenizer and a chat template.

    Args:
        folder: Made when it is not there; files in it are replaced.
        python: The training environment's Python.
        chat_template: What the tokenizer brings along.
    """
    write_tiny_llama(folder)
    argv = [str(python), "-c", _MAKE, str(folder), json.dumps(_QWEN2)]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    (folder / "chat_template.jinja").write_text(chat_template)
