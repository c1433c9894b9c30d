"""The trainer's own flags, beside those of Hugging Face's TrainingArguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from templates.training.packing import PACKINGS
from templates.training.prompts import FORMATS
from templates.training.save_schedule import ShrinkSchedule


@dataclass
class RunArguments:
    """What to train on what, with the names that the Llama-X recipe gave them."""

    model_name_or_path: str = field(metadata={"help": "Base model: a folder or a hub name."})
    data_path: str = field(metadata={"help": "Alpaca, ShareGPT or messages rows: a JSON list or JSON lines."})
    prompt_format: str = field(default="alpaca", metadata={"help": "How a row becomes text.", "choices": list(FORMATS)})
    model_max_length: int = field(default=512, metadata={"help": "Longest row, in tokens; longer ones are cut."})
    cache_dir: str | None = field(default=None, metadata={"help": "Where hub downloads are kept."})
    packing: str = field(
        default="none",
        metadata={
            "help": "How rows lie in a batch; auto: as serves the machine.",
            "choices": ["auto", *PACKINGS],
        },
    )
    attention: str = field(default="auto", metadata={"help": "Transformers' name of an attention, or auto."})
    lora: str | None = field(default=None, metadata={"help": "Train adapters only, as JSON of Lora."})
    llamalift_schedule: str | None = field(default=None, metadata={"help": "Save schedule, as JSON of ShrinkSchedule."})
    llamalift_keep: int = field(default=3, metadata={"help": "How many complete checkpoints stay."})
    llamalift_relaunch: int = field(
        default=0, metadata={"help": "One launch of the literal recipe: save every so many steps, and nothing else."}
    )
    llamalift_scratch: str | None = field(
        default=None, metadata={"help": "A folder on fast disks that checkpoints are written to first."}
    )
    llamalift_mirror: str | None = field(
        default=None, metadata={"help": "Blob storage for copies of checkpoints: az://ACCOUNT/CONTAINER/PREFIX."}
    )


def schedule_for(asked: RunArguments, save_steps: float | None, total_steps: int) -> ShrinkSchedule:
    """Choose the schedule: the given one, else one whose widest interval is `--save_steps` (below 1: a share).

    A launch of the literal recipe has one interval.

    Raises:
        ValueError: When `--llamalift_schedule` is not a schedule.
    """
    if asked.llamalift_relaunch:
        return ShrinkSchedule(asked.llamalift_relaunch, asked.llamalift_relaunch)
    if asked.llamalift_schedule:
        return ShrinkSchedule.from_json(asked.llamalift_schedule)
    # The Trainer's own default.
    steps = 500 if save_steps is None else save_steps
    return ShrinkSchedule(first_interval=max(1, int(steps * total_steps if steps < 1 else steps)))


@dataclass(frozen=True, slots=True)
class RunFolders:
    """Where a run keeps what; all but scratch beside `--output_dir`, so that it is on one file system."""

    checkpoints: Path
    final: Path
    markers: Path
    data: Path
    metrics: Path
    scratch: Path | None = None

    @property
    def roots(self) -> list[Path]:
        """Where checkpoints may be, the fastest first."""
        return [self.checkpoints] if self.scratch is None else [self.scratch, self.checkpoints]

    @classmethod
    def beside(cls, output_dir: str, scratch: str | None = None) -> RunFolders:
        """Give the folders of the run whose checkpoints are in `output_dir`, and on `scratch` if there is any."""
        checkpoints = Path(output_dir).resolve()
        root = checkpoints.parent
        return cls(
            checkpoints=checkpoints,
            final=root / "final",
            markers=root / "markers",
            data=root / "tokenised",
            metrics=root / "metrics.jsonl",
            scratch=None if scratch is None else Path(scratch).resolve() / "checkpoints",
        )
