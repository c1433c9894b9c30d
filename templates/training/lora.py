"""Adapters instead of the whole model: what is asked for, and how many parameters that is. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

ALL_LINEAR = "all-linear"
# The adapter's place in the final model's folder.
FOLDER = "adapter"


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021), by peft; on a base in 4 bits it is QLoRA (Dettmers et al. 2023).

    Attributes:
        r: Rank.
        alpha: Scale: an adapter counts alpha / r times.
        dropout: Share of an adapter's inputs that is left out at random.
        target_modules: Names of the modules that get adapters, or all-linear: every linear one but the output.
        modules_to_save: Modules trained whole beside the adapters.
        rslora: Scale by alpha / sqrt(r) instead.
        quantize: none, or nf4: the base's weights take 4 bits, on an NVIDIA GPU.
    """

    r: int = 16
    alpha: float = 32
    dropout: float = 0.05
    target_modules: tuple[str, ...] = (ALL_LINEAR,)
    modules_to_save: tuple[str, ...] = ()
    rslora: bool = False
    quantize: Literal["none", "nf4"] = "none"

    @classmethod
    def from_json(cls, text: str) -> Lora:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It is not that.
        """
        try:
            values = json.loads(text)
            lists = {name: tuple(values[name]) for name in ("target_modules", "modules_to_save") if name in values}
            return cls(**{**values, **lists})
        except (TypeError, ValueError) as error:
            raise ValueError(f"--lora is not the JSON of adapters: {error}") from error

    def to_json(self) -> str:
        """Write it as one word of a command line."""
        return json.dumps(asdict(self), sort_keys=True)
