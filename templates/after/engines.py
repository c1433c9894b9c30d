"""What generates answers: vLLM where there is a GPU and it is installed, Transformers everywhere else."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from templates.training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ENGINES = ("auto", "vllm", "transformers")
# vLLM makes its own batches; so many prompts are answered between two writes.
_VLLM_CHUNK = 256
# So much of a GPU's free memory may hold weights; the rest is for keys, values and what is being computed.
_WEIGHTS_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Sampling:
    """How words are chosen; greedy, as the recipe does, unless `sample`."""

    max_new_tokens: int
    sample: bool = False
    temperature: float = 1.0
    top_p: float = 0.9
    top_k: int = 40
    seed: int = 42


class Engine(Protocol):
    """Answers prompts. The same prompts in the same batch with the same number give the same answers."""

    name: str
    chunk: int

    def answer(self, prompts: Sequence[list[int]], number: int) -> list[str]:
        """Answer the batch of prompts (their tokens) with this number, in its order."""
        ...


def open_engine(
    wanted: str, model: Path, tokenizer: PreTrainedTokenizerBase, sampling: Sampling, *, end_id: int, batch_size: int
) -> Engine:
    """Load a model into the engine that serves, or into the wanted one.

    Args:
        wanted: One of `ENGINES`.
        model: The model's folder.
        tokenizer: Its tokenizer, with a token to pad with.
        sampling: How words are chosen.
        end_id: The token that ends an answer.
        batch_size: Prompts at once, where the engine makes no batches of its own.

    Raises:
        DataError: The wanted one cannot be had here.
    """
    import torch

    has_vllm = importlib.util.find_spec("vllm") is not None
    if wanted == "vllm" and not has_vllm:
        raise DataError("vLLM is not installed here; take another engine than: vllm")
    if wanted == "vllm" or (wanted == "auto" and has_vllm and torch.cuda.is_available()):
        return VllmEngine(model, end_id, sampling)
    return TransformersEngine(model, tokenizer, sampling, end_id=end_id, batch_size=batch_size)


class TransformersEngine:
    """Hugging Face's `generate`: prompts padded on the left, so that each answer follows its prompt directly."""

    name = "transformers"

    def __init__(
        self, model: Path, tokenizer: PreTrainedTokenizerBase, sampling: Sampling, *, end_id: int, batch_size: int
    ) -> None:
        self.chunk = batch_size
        self._tokenizer, self._end_id, self._sampling = tokenizer, end_id, sampling
        self._model = load_model(model)

    def answer(self, prompts: Sequence[list[int]], number: int) -> list[str]:
        """Answer a batch; one that does not fit into the GPU's memory is halved."""
        import torch

        torch.manual_seed(self._sampling.seed + number)
        try:
            return self._generate(prompts)
        except torch.cuda.OutOfMemoryError:
            if len(prompts) == 1:
                raise
        torch.cuda.empty_cache()
        middle = len(prompts) // 2
        return [*self.answer(prompts[:middle], number), *self.answer(prompts[middle:], number)]

    def _generate(self, prompts: Sequence[list[int]]) -> list[str]:
        import torch

        rows = {"input_ids": list(prompts)}
        inputs = self._tokenizer.pad(rows, padding_side="left", return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            made = self._model.generate(**inputs, generation_config=self._config(inputs["input_ids"].shape[1]))
        answers = made[:, inputs["input_ids"].shape[1] :]
        return [text.strip() for text in self._tokenizer.batch_decode(answers, skip_special_tokens=True)]

    def _config(self, prompt_tokens: int) -> Any:  # noqa: ANN401 - a class of a library that has no types
        from transformers import GenerationConfig

        room = context_tokens(self._model) - prompt_tokens
        chosen = self._sampling
        chance = {"temperature": chosen.temperature, "top_p": chosen.top_p, "top_k": chosen.top_k}
        return GenerationConfig(
            max_new_tokens=max(1, min(chosen.max_new_tokens, room)),
            do_sample=chosen.sample,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=self._end_id,
            **(chance if chosen.sample else {}),
        )


class VllmEngine:
    """vLLM, which batches by itself and spreads the model over all GPUs."""

    name = "vllm"
    chunk = _VLLM_CHUNK

    def __init__(self, model: Path, end_id: int, sampling: Sampling) -> None:
        import torch
        from vllm import LLM

        self._end_id, self._sampling = end_id, sampling
        self._llm = LLM(model=str(model), tensor_parallel_size=max(1, torch.cuda.device_count()), seed=sampling.seed)

    def answer(self, prompts: Sequence[list[int]], number: int) -> list[str]:
        """Answer a batch; each prompt has a seed of its own."""
        from vllm import SamplingParams

        chosen = self._sampling
        parameters = [
            SamplingParams(
                max_tokens=chosen.max_new_tokens,
                stop_token_ids=[self._end_id],
                temperature=chosen.temperature if chosen.sample else 0.0,
                top_p=chosen.top_p if chosen.sample else 1.0,
                top_k=chosen.top_k if chosen.sample else -1,
                seed=chosen.seed + number * self.chunk + place if chosen.sample else None,
            )
            for place in range(len(prompts))
        ]
        asked = [{"prompt_token_ids": ids} for ids in prompts]
        return [one.outputs[0].text.strip() for one in self._llm.generate(asked, parameters, use_tqdm=False)]


def load_model(folder: Path) -> PreTrainedModel:
    """Load a model to ask it: as it was saved on a GPU, in fp32 on a processor that has no fast bf16.

    One that fits takes one GPU; only a larger one is spread over all of them, which work one after the other.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from templates.training import hardware

    gpus = torch.cuda.device_count()
    dtype = "auto" if gpus or hardware.probe().bf16 else torch.float32
    weights = sum(file.stat().st_size for pattern in ("*.safetensors", "*.bin") for file in folder.glob(pattern))
    is_spread = gpus > 1 and weights > _WEIGHTS_SHARE * torch.cuda.mem_get_info(0)[0]
    more: dict[str, Any] = {"device_map": "auto"} if is_spread else {}
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **more)
    if gpus and not is_spread:
        model = model.to("cuda")
    return model.eval()


def context_tokens(model: PreTrainedModel) -> int:
    """The longest text that a model takes, in tokens."""
    return int(getattr(model.config, "max_position_embeddings", None) or 1 << 20)
