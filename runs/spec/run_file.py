"""The run file as a whole: everything that one run asks for."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, model_validator
from pydantic_core import InitErrorDetails

from runs.spec import patterns
from runs.spec.after import After
from runs.spec.checkpoints import Checkpoints
from runs.spec.collect import Collect
from runs.spec.data import Data
from runs.spec.limits import Limits
from runs.spec.machine import Machine
from runs.spec.model import Model
from runs.spec.notify import Notify
from runs.spec.section import Section, broken_rule, refuse
from runs.spec.stage import Stage, Stages, as_written, one_or_several
from runs.spec.storage import Storage
from runs.spec.sync import SyncItem
from runs.spec.train import Train
from templates.training.save_schedule import ShrinkSchedule, ladder

# Each is a step of the job, and most of them train the end of the run once more.
_MOST_LAUNCHES = 32
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
    training: Annotated[
        Train | tuple[Stage, ...],
        PlainValidator(one_or_several, json_schema_input_type=Train | Stages),
        PlainSerializer(as_written),
    ] = Field(
        default_factory=Train,
        alias="train",
        description="The trainer's flags, as Hugging Face names them; or a list of stages, each from the one before.",
    )
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
        description="Names of environment variables that training needs; values: from yours, or your keyring.",
    )
    transfer_mb_per_second: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Most that files may take of your line, in megabytes a second; null: as fast as it goes.",
    )
    after: After = Field(default_factory=After, description="Answers and scores of the finished model.")
    notify: Notify = Field(
        default_factory=Notify, description="Who is told when something has happened; nobody unless you say so."
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
    def train(self) -> Train:
        """The trainer's flags; with stages those of the first one, and `trainings` has each with its own."""
        return self.training if isinstance(self.training, Train) else self.training[0]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of a `train` that is a list; none of any other."""
        return () if isinstance(self.training, Train) else self.training

    @property
    def trainings(self) -> tuple["RunFile", ...]:
        """This run file as each of its stages sees it: one training with its own data and schedule.

        A run without stages has one, itself.
        """
        return tuple(self._for_stage(stage) for stage in self.stages) or (self,)

    @property
    def stage_name(self) -> str:
        """The stage whose `trainings` this is one of; empty for the run file itself."""
        return self.training.name if isinstance(self.training, Stage) else ""

    def _for_stage(self, stage: Stage) -> "RunFile":
        own = {"training": stage, "data": stage.data or self.data, "checkpoints": self.checkpoints}
        if stage.checkpoints:
            own["checkpoints"] = stage.checkpoints.model_copy(update={"mirror": self.checkpoints.mirror})
        return self.model_copy(update=own)

    def save_schedule(self, evictions_per_hour: float | None = None, save_seconds: float = 0.0) -> ShrinkSchedule:
        """When to save, every `auto` resolved.

        Args:
            evictions_per_hour: How often the machine is lost where the run is to be; None when that is not known.
            save_seconds: What one save should take; 0 when not known.
        """
        shrink = self.checkpoints.shrink
        return ShrinkSchedule(
            self.first_save_interval,
            shrink.last,
            shrink.factor,
            self.checkpoints.max_share,
            seconds_between_losses=3600 / evictions_per_hour if evictions_per_hour else None,
            expected_save_seconds=save_seconds,
        )

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
    for number, training in enumerate(spec.trainings):
        yield from _of_saves(training, ("train", number) if spec.stages else ())
    yield from _of_stages(spec)
    if spec.machine.nodes > 1:
        yield from _not_with_nodes(spec)
    if spec.storage.disk_type == "PremiumV2_LRS" and not spec.machine.zones:
        yield broken_rule(
            ("storage", "disk_type"), "PremiumV2_LRS needs a zone; give machine.zones", spec.storage.disk_type
        )
    if spec.cloud == "rehearsal" and spec.storage.mount != "/workspace":
        mount = spec.storage.mount
        yield broken_rule(("storage", "mount"), f"a rehearsal machine has only /workspace, found: {mount}", mount)
    if spec.storage.stage != "never" and spec.machine.nodes > 1:
        stage = spec.storage.stage
        yield broken_rule(
            ("storage", "stage"), f"several machines fetch side by side and do not stage, found: {stage}", stage
        )
    if spec.after.evaluate.task_folder and not spec.after.evaluate.tasks:
        folder = spec.after.evaluate.task_folder
        yield broken_rule(("after", "evaluate", "tasks"), f"name the tasks to take from the task_folder: {folder}")
    for name in spec.tags:
        if name.lower().startswith("llamalift-"):
            yield broken_rule(("tags", name), f"tags that start with llamalift- are ours, found: {name}", name)


def _not_with_nodes(spec: RunFile) -> Iterator[InitErrorDetails]:
    """Yield what several machines cannot do together."""
    nodes = spec.machine.nodes
    if spec.checkpoints.relaunch:
        yield broken_rule(("machine", "nodes"), f"relaunch: true is for one machine, found: {nodes}", nodes)
    if spec.stages:
        # Each stage's model is on the first machine's disk alone.
        yield broken_rule(("machine", "nodes"), f"stages are for one machine, found: {nodes}", nodes)


def _of_stages(spec: RunFile) -> Iterator[InitErrorDetails]:
    """Yield what is wrong with stages as a row."""
    names = [stage.name for stage in spec.stages]
    for number, (stage, name) in enumerate(zip(spec.stages, names, strict=True)):
        if name in names[:number]:
            yield broken_rule(("train", number, "name"), f"an earlier stage has this name, found: {name}", name)
        if stage.checkpoints and stage.checkpoints.mirror:
            mirror = stage.checkpoints.mirror
            place = ("train", number, "checkpoints", "mirror")
            yield broken_rule(place, f"a mirror is the whole run's; write it as checkpoints.mirror, found: {mirror}")
    if spec.stages and any(training.checkpoints.relaunch for training in spec.trainings):
        yield broken_rule(("train",), "relaunch: true is for one training; leave it out, or the stages, found: a list")


def _of_saves(spec: RunFile, stage: tuple[str | int, ...]) -> Iterator[InitErrorDetails]:
    """Yield what is wrong with when one training saves.

    Args:
        spec: The run file as the training sees it.
        stage: Its place in the list of stages; empty without stages.
    """
    of_stage = isinstance(spec.train, Stage) and spec.train.checkpoints is not None
    checkpoints = (*(stage if of_stage else ()), "checkpoints")
    yield from _doubly_said(spec, checkpoints)
    if spec.checkpoints.relaunch:
        yield from _not_with_relaunch(spec, checkpoints)
    if spec.checkpoints.shrink.last > spec.first_save_interval:
        last = spec.checkpoints.shrink.last
        yield broken_rule(
            (*checkpoints, "shrink", "to"),
            f"expected at most the first interval ({spec.first_save_interval}), found: {last}",
            last,
        )


def _doubly_said(spec: RunFile, place: tuple[str | int, ...]) -> Iterator[InitErrorDetails]:
    """Yield what two keys say differently: the recipe's flag and the section of its own."""
    first, keep = spec.checkpoints.shrink.first, spec.checkpoints.keep
    if "save_steps" in spec.train.model_fields_set and first not in ("auto", spec.train.save_steps):
        yield broken_rule(
            (*place, "shrink", "from"), f"train.save_steps says {spec.train.save_steps}, found: {first}", first
        )
    if "save_total_limit" in spec.train.model_fields_set and keep not in ("auto", spec.train.save_total_limit):
        yield broken_rule(
            (*place, "keep"), f"train.save_total_limit says {spec.train.save_total_limit}, found: {keep}", keep
        )


def _not_with_relaunch(spec: RunFile, place: tuple[str | int, ...]) -> Iterator[InitErrorDetails]:
    """Yield what the recipe's literal way does not know: it saves at fixed steps, down to every one."""
    checkpoints = spec.checkpoints
    if checkpoints.shrink.last > 1:
        last = checkpoints.shrink.last
        yield broken_rule(
            (*place, "shrink", "to"), f"relaunch: true ends with 1, or the last step is lost, found: {last}", last
        )
    for name in ("max_share", "evictions_per_hour"):
        found = getattr(checkpoints, name)
        if found != Checkpoints.model_fields[name].default:
            yield broken_rule(
                (*place, name), f"relaunch: true saves at fixed steps, whatever it costs, found: {found}", found
            )
    count = len(ladder(spec.save_schedule())) if checkpoints.shrink.last <= spec.first_save_interval else 0
    if count > _MOST_LAUNCHES:
        factor = checkpoints.shrink.factor
        yield broken_rule(
            (*place, "shrink", "factor"),
            f"relaunch: true starts the trainer {count} times, at most {_MOST_LAUNCHES} are allowed, found: {factor:g}",
            factor,
        )
