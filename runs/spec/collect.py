"""Section `collect`: how the model comes home, and what else does."""

import re
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runs.spec import patterns
from runs.spec.section import Section, broken_rule, refuse

_MIRROR = re.compile(patterns.MIRROR)

_Target = Annotated[str, Field(min_length=1, max_length=1024, pattern=patterns.PLAIN_TEXT)]
_Step = Annotated[int, Field(ge=1)]


class Collect(Section):
    """How the model comes home. Nothing is torn down before this is done."""

    target: _Target | Annotated[tuple[_Target, ...], Field(min_length=1, max_length=2)] = Field(
        default="./model",
        alias="to",
        description="Local folder for the finished model, az://ACCOUNT/CONTAINER/PREFIX, or a list of both.",
    )
    checkpoints: Literal["none", "last", "all"] | Annotated[tuple[_Step, ...], Field(min_length=1, max_length=100)] = (
        Field(
            default="none",
            description="Checkpoints that come, too: none, last, all that are there, or a list of steps.",
        )
    )
    logs: bool = Field(default=True, description="Whether the logs come, too: into the folder MODEL.run beside it.")
    metrics: bool = Field(default=True, description="Whether metrics.jsonl comes, too.")

    stages: Literal["last", "all"] = Field(
        default="last",
        description="Of several stages: the last one's model comes home, or all; the others as TO-NAME beside it.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        targets = self.targets
        for target in targets:
            if "://" in target and not _MIRROR.fullmatch(target):
                message = f"expected a local folder or az://ACCOUNT/CONTAINER/PREFIX, found: {target}"
                refuse("collect", [broken_rule(("to",), message, target)])
        if len(targets) == 2 and sum(target.startswith("az://") for target in targets) != 1:
            message = f"expected one local folder and one az:// address, found: {', '.join(targets)}"
            refuse("collect", [broken_rule(("to",), message, list(targets))])
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """Every destination."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def home(self) -> str | None:
        """The local folder; None when nothing comes to this computer."""
        return next((target for target in self.targets if "://" not in target), None)

    @property
    def blob(self) -> str | None:
        """The place in blob storage, without the run's own folder; None when nothing goes there."""
        return next((target.rstrip("/") for target in self.targets if target.startswith("az://")), None)

    @property
    def wanted_steps(self) -> tuple[int, ...]:
        """Those checkpoints that are asked for by their step, and therefore never pruned."""
        return self.checkpoints if isinstance(self.checkpoints, tuple) else ()


def beside(home: PurePath) -> str:
    """The name of the folder beside the model that gets everything else: whoever loads a model takes what he finds."""
    return f"{home.name or 'model'}.run"
