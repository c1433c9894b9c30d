"""The run file as a whole: everything that one run asks for."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from runs.spec import patterns
from runs.spec.checkpoints import Checkpoints
from runs.spec.collect import Collect
from runs.spec.data import Data
from runs.spec.limits import Limits
from runs.spec.machine import Machine
from runs.spec.model import Model
from runs.spec.section import Section, broken_rule, refuse
from runs.spec.storage import Storage
from runs.spec.sync import SyncItem
from runs.spec.train import Train
from templates.training.save_schedule import ShrinkSchedule

# Azure takes 50 tags on a resource; four are ours.
TagName = Annotated[str, Field(pattern=patterns.TAG_NAME)]
TagValue = Annotated[str, Field(max_length=256, pattern=patterns.PLAIN_TEXT)]
SecretName = Annotated[str, Field(pattern=patterns.SECRET_NAME)]


class RunFile(Section):
    """What one run asks for. `name`, `model` and `data` must be given; all the rest has a default."""

    name: str = Field(
        pattern=patterns.RUN_NAME,
        description="What the run is called: lower-case letters, digits and dashes, at most 24.",
    )
    cloud: Literal["azure", "rehearsal"] = Field(
        default="rehearsal", description="azure, or rehearsal: a pretend cloud on this computer that costs nothing."
    )
    subscription: str | None = Field(
        default=None,
        pattern=patterns.SUBSCRIPTION,
        description="Azure subscription id; null: the one that you are signed in to.",
    )
    tags: dict[TagName, TagValue] = Field(
        default_factory=dict, max_length=40, description="Further tags for everything that the run creates."
    )
    machine: Machine = Field(default_factory=Machine, description="What to rent.")
    storage: Storage = Field(default_factory=Storage, description="The durable workspace disk.")
    sync: tuple[SyncItem, ...] = Field(
        default=(),
        max_length=100,
        description="Further files that the machine gets; the model and the data need no entry.",
    )
    model: Model = Field(description="The base weights.")
    data: Data = Field(description="What to train on.")
    train: Train = Field(default_factory=Train, description="The trainer's flags, as Hugging Face names them.")
    checkpoints: Checkpoints = Field(default_factory=Checkpoints, description="When to save and how many to keep.")
    collect: Collect = Field(default_factory=Collect, description="How the model comes home.")
    limits: Limits = Field(default_factory=Limits, description="When to stop, whatever happens.")
    on_failure: Literal["auto", "teardown", "deallocate", "keep", "ask"] = Field(
        default="auto",
        description="What becomes of a failed run's machine. auto: teardown before a job was handed over, then "
        "deallocate.",
    )
    secrets: tuple[SecretName, ...] = Field(
        default=(),
        max_length=20,
        description="Names of environment variables that training needs; their values stay off disk.",
    )
    transfer_mb_per_second: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Most that files may take of your line, in megabytes a second; null: as fast as it goes.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse("run file", _broken_rules(self))
        return self

    @property
    def transfer_bytes_per_second(self) -> float | None:
        """`transfer_mb_per_second` in bytes."""
        return None if self.transfer_mb_per_second is None else self.transfer_mb_per_second * 1e6

    @property
    def save_schedule(self) -> ShrinkSchedule:
        """When to save, every `auto` resolved."""
        shrink = self.checkpoints.shrink
        return ShrinkSchedule(self.first_save_interval, shrink.last, shrink.factor, self.checkpoints.max_share)

    @property
    def first_save_interval(self) -> int:
        """Widest save interval in optimizer steps: `checkpoints.shrink.from`, else `train.save_steps`."""
        first = self.checkpoints.shrink.first
        return self.train.save_steps if first == "auto" else first

    @property
    def kept_checkpoints(self) -> int:
        """Complete checkpoints to keep: `checkpoints.keep`, else `train.save_total_limit`."""
        return self.train.save_total_limit if self.checkpoints.keep == "auto" else self.checkpoints.keep


def _broken_rules(spec: RunFile) -> Iterator[InitErrorDetails]:
    yield from _doubly_said(spec)
    if spec.checkpoints.shrink.last > spec.first_save_interval:
        last = spec.checkpoints.shrink.last
        yield broken_rule(
            ("checkpoints", "shrink", "to"),
            f"expected at most the first interval ({spec.first_save_interval}), found: {last}",
            last,
        )
    if spec.storage.disk_type == "PremiumV2_LRS" and not spec.machine.zones:
        yield broken_rule(
            ("storage", "disk_type"), "PremiumV2_LRS needs a zone; give machine.zones", spec.storage.disk_type
        )
    if spec.cloud == "rehearsal" and spec.storage.mount != "/workspace":
        mount = spec.storage.mount
        yield broken_rule(("storage", "mount"), f"a rehearsal machine has only /workspace, found: {mount}", mount)
    for name in spec.tags:
        if name.lower().startswith("llamalift-"):
            yield broken_rule(("tags", name), f"tags that start with llamalift- are ours, found: {name}", name)


def _doubly_said(spec: RunFile) -> Iterator[InitErrorDetails]:
    """Yield what two keys say differently: the recipe's flag and the section of its own."""
    first, keep = spec.checkpoints.shrink.first, spec.checkpoints.keep
    if "save_steps" in spec.train.model_fields_set and first not in ("auto", spec.train.save_steps):
        yield broken_rule(
            ("checkpoints", "shrink", "from"), f"train.save_steps says {spec.train.save_steps}, found: {first}", first
        )
    if "save_total_limit" in spec.train.model_fields_set and keep not in ("auto", spec.train.save_total_limit):
        yield broken_rule(
            ("checkpoints", "keep"), f"train.save_total_limit says {spec.train.save_total_limit}, found: {keep}", keep
        )
