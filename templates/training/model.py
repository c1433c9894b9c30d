"""The base model and its tokenizer, ready to train."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer

from templates.training import row_attention
from templates.training.errors import DataError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PAD_TOKEN = "[PAD]"  # noqa: S105 - Llama-X's name for it
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def load_tokenizer(name: str, max_length: int, cache_dir: str | None) -> PreTrainedTokenizerBase:
    """Load the tokenizer and give it a padding token when it has none.

    Raises:
        DataError: It has no end-of-sequence token: no answer would ever end.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        name, cache_dir=cache_dir, model_max_length=max_length, padding_side="right"
    )
    if tokenizer.eos_token_id is None:
        raise DataError(f"the tokenizer has no end-of-sequence token: {name}")
    if tokenizer.pad_token_id is None:
        tokenizer.add_special_tokens({"pad_token": PAD_TOKEN})
    return tokenizer


def load_model(
    name: str, dtype: torch.dtype, cache_dir: str | None, attention: str | None = None, **options: object
) -> PreTrainedModel:
    """Load the base model; under ZeRO-3 every rank keeps its share from the start.

    Args:
        name: A folder or a hub name.
        dtype: What its weights are kept in.
        cache_dir: Where hub downloads are kept.
        attention: Transformers' name of an attention; None: the best that the model's own code knows without more.
        options: How a quantised base is loaded.
    """
    asked = {} if attention is None else {"attn_implementation": attention}
    model = AutoModelForCausalLM.from_pretrained(name, cache_dir=cache_dir, dtype=dtype, **asked, **options)
    model.config.use_cache = False  # no use in training, and at odds with activation checkpointing
    return model


def fit_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Grow the embeddings to the tokenizer's words; give how many were added.

    As in Llama-X, a new word starts as the mean of the others, so that it changes no probability by much.
    """
    before = model.config.vocab_size
    added = len(tokenizer) - before
    if added > 0:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            if layer is not None:
                _set_to_mean(layer.weight, before)
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return max(0, added)


def stop_at(model: PreTrainedModel, end: int) -> None:
    """Let generation stop at a token: a format may end its answers with another than the base's texts (ChatML does)."""
    known = model.generation_config.eos_token_id
    ends = known if isinstance(known, list) else [] if known is None else [known]
    if end not in ends:
        model.config.eos_token_id = end
        model.generation_config.eos_token_id = [end, *ends]


def attends_alone(name: str, cache_dir: str | None) -> bool:
    """Whether rows that lie one after the other can each be attended to alone (`row_attention`): seen without loading.

    Args:
        name: A folder or a hub name.
        cache_dir: Where hub downloads are kept.
    """
    config = AutoConfig.from_pretrained(name, cache_dir=cache_dir)
    model = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return getattr(model, "_supports_sdpa", False) and keeps_rows_apart(model) and row_attention.serves(config)


def keeps_rows_apart(model: PreTrainedModel | type[PreTrainedModel]) -> bool:
    """Whether rows that follow each other without padding do not see each other.

    Transformers makes the masks of models written for its attention interface from the rows' positions. Older code
    takes the whole line for one row, and a model with a state of its own carries it from row to row.
    """
    return bool(getattr(model, "_supports_attention_backend", False)) and not getattr(model, "_is_stateful", False)


def _set_to_mean(weight: torch.Tensor, before: int) -> None:
    with _whole(weight), torch.no_grad():
        weight[before:] = weight[:before].float().mean(dim=0, keepdim=True).to(weight.dtype)


def _whole(weight: torch.Tensor) -> AbstractContextManager[object]:
    """Gather a parameter that ZeRO-3 has shared out; rank 0's change is the one that counts."""
    if not hasattr(weight, "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters([weight], modifier_rank=0)


def whole_shapes(model: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """Give the shape of each parameter, whole also where ZeRO-3 has shared it out."""
    return {name: tuple(getattr(weight, "ds_shape", weight.shape)) for name, weight in model.named_parameters()}
