"""Section `train`: the trainer's flags, with the names that Hugging Face's TrainingArguments give them."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from runs.spec.flags import FlagValue, known_flags, to_words, wrong_flag
from runs.spec.lora import Lora
from runs.spec.section import Section, broken_rule, refuse, repeat_errors
from templates.training.hardware import Precision

DEEPSPEED_CONFIGS = ("zero1", "zero2", "zero3", "zero2-offload", "zero3-offload", "llama-x")


def _checked_deepspeed(text: str) -> str:
    if text not in DEEPSPEED_CONFIGS and not text.endswith(".json"):
        names = ", ".join(DEEPSPEED_CONFIGS)
        raise ValueError(f"expected {names} or a .json file, found: {text}")
    return text


def _document_further_flags(schema: dict[str, Any]) -> None:
    kinds = {
        "bool": "boolean",
        "float": "number",
        "int": "integer",
        "list": "array",
        "mapping": "object",
        "text": "string",
    }
    further = {
        name: {"type": [*(kinds[kind] for kind in flag), "null"], "description": "Passed on to the trainer."}
        for name, flag in sorted(known_flags().items())
        if wrong_flag(name, None) is None
    }
    schema["properties"] = schema["properties"] | {k: v for k, v in further.items() if k not in schema["properties"]}
    schema["additionalProperties"] = False


class Train(Section):
    """The trainer's flags. Every other flag of Hugging Face's TrainingArguments may be given too, under its name."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_document_further_flags)
    __pydantic_extra__: dict[str, FlagValue] = Field(init=False)

    num_train_epochs: float = Field(default=3, gt=0, le=1000, description="How often to go through the data.")
    model_max_length: int = Field(
        default=2048, ge=16, le=1_048_576, description="Tokens of a row; longer rows are cut."
    )
    per_device_train_batch_size: int = Field(default=8, ge=1, le=4096, description="Rows per process and pass.")
    gradient_accumulation_steps: int = Field(default=4, ge=1, le=65536, description="Passes per optimizer step.")
    learning_rate: float = Field(default=2e-5, gt=0, le=10, description="Peak learning rate.")
    lr_scheduler_type: str = Field(default="cosine", min_length=1, description="How the learning rate falls.")
    warmup_steps: float = Field(
        default=2, ge=0, description="Optimizer steps until the peak; under 1: a share of all steps."
    )
    logging_steps: int = Field(default=2, ge=1, description="Optimizer steps between two lines of the log.")
    save_steps: int = Field(default=800, ge=1, description="Optimizer steps between two saves; see checkpoints.shrink.")
    save_total_limit: int = Field(default=3, ge=1, le=100, description="Complete checkpoints to keep on the machine.")
    bf16: bool | None = Field(default=None, description="Train in bfloat16. null: yes, unless fp16 is true.")
    fp16: bool = Field(default=False, description="Train in float16, as recipes of 2023 do.")
    gradient_checkpointing: bool = Field(default=True, description="Recompute activations to save memory.")
    report_to: str | list[str] = Field(
        default="none", description="Where metrics go as well: none, wandb or tensorboard."
    )
    seed: int = Field(default=42, ge=0, le=4_294_967_295, description="Seed of every random choice.")
    max_restarts: int = Field(
        default=3, ge=0, le=20, description="How often to go on from the newest checkpoint after a crash."
    )
    deepspeed: Annotated[str, AfterValidator(_checked_deepspeed)] = Field(
        default="zero3",
        description="DeepSpeed config: zero1, zero2, zero3, zero2-offload, zero3-offload, llama-x or a .json file.",
    )
    lora: Lora = Field(default_factory=Lora, description="Adapters that are trained instead of the whole model.")
    packing: Literal["auto", "none", "group_by_length", "flat", "bfd", "bfd_split", "wrapped"] = Field(
        default="auto",
        description="How rows lie in a batch; auto: as serves the machine with the same rows a step; none: padded.",
    )
    attention: Literal["auto", "eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"] = Field(
        default="auto",
        description="How attention is computed; auto: FlashAttention if installed, else PyTorch's by rows.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _rules(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 (unvalidated input)
        broken = list(_wrong_further_flags(value, set(cls.model_fields))) if isinstance(value, dict) else []
        try:
            train = handler(value)
        except ValidationError as error:
            refuse("train", [*repeat_errors(error), *broken])
            raise
        refuse("train", [*broken, *_broken_rules(train)])
        return train

    @property
    def precision(self) -> Precision:
        """What is asked for: `bf16`, `fp16` or `fp32`."""
        if self.fp16:
            return "fp16"
        return "fp32" if self.bf16 is False else "bf16"

    @property
    def adapters(self) -> Lora | None:
        """The adapters that are trained; None where the whole model is."""
        return self.lora if self.lora.r else None

    def flag(self, name: str) -> FlagValue:
        """Give a flag beyond the documented ones as the run file has it, or None."""
        return (self.__pydantic_extra__ or {}).get(name)

    def flags(self) -> dict[str, FlagValue]:
        """Give every flag for the trainer but `deepspeed`, whose config travels as a file, and what the agent does."""
        flags = self.model_dump(exclude={"deepspeed", "max_restarts", "lora"}) | {"bf16": self.precision == "bf16"}
        if self.adapters is not None:
            flags["lora"] = self.adapters.asked().to_json()
        return {name: value for name, value in flags.items() if value is not None}

    def argv(self) -> tuple[str, ...]:
        """Write `flags` as words of a command line."""
        return tuple(word for name, value in self.flags().items() for word in to_words(name, value))


def _wrong_further_flags(value: dict[Any, Any], documented: set[str]) -> Iterator[InitErrorDetails]:
    for name, found in value.items():
        wrong = None if name in documented else wrong_flag(name, found)
        if wrong == "":
            yield {"type": "extra_forbidden", "loc": (name,), "input": found}
        elif wrong is not None:
            yield broken_rule((name,), wrong if "; " in wrong else f"{wrong}, found: {found}", found)


def _broken_rules(train: Train) -> Iterator[InitErrorDetails]:
    if train.fp16 and train.bf16:
        yield broken_rule(("bf16",), "fp16 is true too; only one of the two can be", train.bf16)
    if not train.lora.r and train.lora != Lora():
        yield broken_rule(("lora", "r"), "adapters need a rank, often 16, found: 0", 0)
    if train.flag("save_strategy") not in (None, "steps"):
        found = train.flag("save_strategy")
        yield broken_rule(
            ("save_strategy",), f"llamalift saves by steps (see checkpoints.shrink), found: {found}", found
        )
