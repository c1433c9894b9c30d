"""Section `train.lora`: adapters instead of the whole model."""

from typing import Annotated, Literal

from pydantic import Field

from runs.spec.section import Auto, Section
from templates.training import lora

ModuleName = Annotated[str, Field(min_length=1, max_length=100)]


class Lora(Section):
    """Low-rank adapters by peft. The machine keeps them, and merges them into the final model."""

    r: int = Field(default=0, ge=0, le=1024, description="Rank of the adapters, often 16; 0: none, train the model.")
    alpha: Auto | Annotated[float, Field(gt=0, le=10_000)] = Field(
        default="auto", description="Scale: an adapter counts alpha / r times. auto: twice."
    )
    dropout: float = Field(default=0.05, ge=0, lt=1, description="Share of an adapter's inputs left out at random.")
    target_modules: Literal["all-linear"] | list[ModuleName] = Field(
        default="all-linear", description="Modules with adapters, by name; all-linear: every linear but the output."
    )
    modules_to_save: list[ModuleName] = Field(
        default_factory=list, description="Modules that are trained whole beside the adapters."
    )
    rslora: bool = Field(default=False, description="Scale by alpha / sqrt(r) instead: for high ranks.")
    quantize: Literal["none", "nf4"] = Field(
        default="none", description="nf4: the base's weights in 4 bits (QLoRA); needs an NVIDIA GPU."
    )

    def asked(self) -> lora.Lora:
        """What the trainer is asked for."""
        targets = (self.target_modules,) if isinstance(self.target_modules, str) else tuple(self.target_modules)
        return lora.Lora(
            r=self.r,
            alpha=2 * self.r if self.alpha == "auto" else self.alpha,
            dropout=self.dropout,
            target_modules=targets,
            modules_to_save=tuple(self.modules_to_save),
            rslora=self.rslora,
            quantize=self.quantize,
        )
