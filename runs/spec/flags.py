"""Which trainer flags there are: the list of Transformers' TrainingArguments that is shipped beside this file.

`training_arguments.json` was written from the dataclass fields of the Transformers release named in it, the one that
the machine's lock pins (templates/environment); tests/integration/test_training_arguments_list.py compares the two.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FlagValue = str | bool | int | float | None | list[str] | dict[str, Any]

# Flags that later Transformers renamed or dropped, with the kind of their value. Recipes of 2023 have them, and
# templates/training/flags.py translates them with a note.
_OLDER_FLAGS: Mapping[str, tuple[str, ...]] = {
    "dispatch_batches": ("bool",),
    "evaluation_strategy": ("text",),
    "fp16_backend": ("text",),
    "fp16_opt_level": ("text",),
    "group_by_length": ("bool",),
    "half_precision_backend": ("text",),
    "include_tokens_per_second": ("bool",),
    "jit_mode_eval": ("bool",),
    "logging_dir": ("text",),
    "overwrite_output_dir": ("bool",),
    "past_index": ("int",),
    "per_gpu_eval_batch_size": ("int",),
    "per_gpu_train_batch_size": ("int",),
    "save_safetensors": ("bool",),
    "split_batches": ("bool",),
    "warmup_ratio": ("float",),
}

# Flags that are ours to set, each with what to write in its stead.
OUR_FLAGS: Mapping[str, str] = {
    "data_path": "write it as data.from",
    "cache_dir": "leave it out: downloads are kept in the workspace",
    "do_predict": "leave it out: a run only trains",
    "do_train": "leave it out: a run always trains",
    "enable_jit_checkpoint": "leave it out: with DeepSpeed it repeats a step; llamalift saves on eviction by itself",
    "fsdp": "leave it out: llamalift trains with DeepSpeed",
    "fsdp_config": "leave it out: llamalift trains with DeepSpeed",
    "hub_token": "a secret has no place in a file: export HF_TOKEN and write secrets: [HF_TOKEN]",
    "local_rank": "leave it out: the launcher sets it",
    "no_cuda": "leave it out: the machine's size decides",
    "model_name_or_path": "write it as model.from",
    "output_dir": "leave it out: collect.to says where the model goes",
    "resume_from_checkpoint": "leave it out: a run always goes on from its newest complete checkpoint",
    "use_cpu": "leave it out: the machine's size decides",
}

_WORDS = {
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "mapping": "a mapping",
    "text": "text",
}


@functools.cache
def known_flags() -> Mapping[str, tuple[str, ...]]:
    """Give the kinds of value (`int`, `float`, `bool`, `text`, `list`, `mapping`) that each known flag takes."""
    listed = json.loads(Path(__file__).with_name("training_arguments.json").read_text(encoding="utf-8"))
    flags = {name: tuple(kinds) for name, kinds in listed["arguments"].items()}
    return {**flags, **_OLDER_FLAGS}


def wrong_flag(name: str, value: object) -> str | None:
    """Say what is wrong with a flag beyond those that the run file documents, or None.

    The answer for an unknown name is the empty string: only the reader of the whole file knows the nearest key.
    """
    if name in OUR_FLAGS:
        return f"set by llamalift itself; {OUR_FLAGS[name]}"
    kinds = known_flags().get(name)
    if kinds is None:
        return ""
    if value is None or any(_fits(kind, value) for kind in kinds):
        return None
    return f"expected {' or '.join(_WORDS[kind] for kind in kinds)}"


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case "mapping":
            return isinstance(value, dict)
        case _:
            return isinstance(value, str)


def to_words(name: str, value: object) -> tuple[str, ...]:
    """Write one flag as words of a command line, the way Hugging Face's argument parser reads it.

    None means "not given". Lists become several words, mappings JSON.
    """
    match value:
        case None:
            return ()
        case bool():
            return (f"--{name}", str(value))
        case list() | tuple():
            return (f"--{name}", *map(str, value))
        case dict():
            return (f"--{name}", json.dumps(value, sort_keys=True))
        case _:
            return (f"--{name}", str(value))
