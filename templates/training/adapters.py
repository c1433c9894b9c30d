"""A base model with adapters on it: how they are put on, and how the base is loaded for them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from templates.training.lora import ALL_LINEAR, Lora

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import BitsAndBytesConfig, PreTrainedModel


def quantization(lora: Lora | None, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """Give how the base's weights are kept: None for as they are, else QLoRA's 4 bits.

    They are stored as if they were of `dtype`, so that ZeRO-3 can share them out with the rest (peft's guide to QLoRA
    with DeepSpeed).
    """
    if lora is None or lora.quantize == "none":
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )


def placement(lora: Lora | None, zero_stage: int) -> dict[str, Any]:
    """Give where a quantised base is loaded to: its rank's own GPU, unless ZeRO-3 shares it out."""
    if lora is None or lora.quantize == "none" or zero_stage == 3:
        return {}
    return {"device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def with_adapters(model: PreTrainedModel, lora: Lora, *, learns_words: bool) -> PeftModel:
    """Put adapters on a model; nothing else of it is trained from here on.

    Args:
        model: The base.
        lora: The adapters.
        learns_words: Tokens were added that answers contain: the embeddings are trained, too, or they would never
            differ from each other.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    targets, saved = lora.target_modules, _saved(model, lora, learns_words=learns_words)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=ALL_LINEAR if targets == (ALL_LINEAR,) else list(targets),
        modules_to_save=saved or None,
        # One matrix for both embeddings stays one.
        ensure_weight_tying=bool(saved) and _is_tied(model),
        use_rslora=lora.rslora,
    )
    # In the base's own type: DeepSpeed keeps 32-bit copies of what it trains, and ZeRO-3 takes only one type.
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    # Else peft saves embeddings that have grown as well: a second time, or although nothing is learnt in them.
    adapted.save_pretrained = partial(adapted.save_pretrained, save_embedding_layers=False)
    return adapted


def _saved(model: PreTrainedModel, lora: Lora, *, learns_words: bool) -> list[str]:
    names = list(lora.modules_to_save)
    if learns_words:
        both = (model.get_input_embeddings(), None if _is_tied(model) else model.get_output_embeddings())
        layers = {id(layer) for layer in both if layer is not None}
        names += [name.rpartition(".")[2] for name, layer in model.named_modules() if id(layer) in layers]
    return list(dict.fromkeys(names))


def _is_tied(model: PreTrainedModel) -> bool:
    output = model.get_output_embeddings()
    return output is not None and output.weight is model.get_input_embeddings().weight


def trained_parameters(model: torch.nn.Module) -> int:
    """Give how many parameters are trained, whole also where ZeRO-3 has shared them out."""
    return sum(
        int(getattr(weight, "ds_numel", weight.numel())) for weight in model.parameters() if weight.requires_grad
    )
