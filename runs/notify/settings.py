"""Who is told, and when: the run file's word, else the user's own config file's, else nobody."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_config_path
from pydantic import Field, ValidationError

from runs.errors import Problem, SpecError
from runs.spec.complaints import complaints
from runs.spec.notify import Notify
from runs.spec.section import Section
from runs.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from runs.spec.run_file import RunFile

VARIABLE = "LLAMALIFT_CONFIG"
EVERY_OCCASION = ("done", "failed", "budget")


class UserConfig(Section):
    """What a user wants for every run, whatever its run file leaves open."""

    notify: Notify = Field(default_factory=Notify, description="Who is told when something has happened.")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one run.

    Attributes:
        desktop: Show a message on this computer's desktop.
        webhook: Name of the secret with the webhook's address; None for none.
        when: On what.
    """

    desktop: bool
    webhook: str | None
    when: frozenset[str]

    @property
    def is_silent(self) -> bool:
        """Nobody is told anything."""
        return not self.when or not (self.desktop or self.webhook)


def config_file() -> Path:
    """The user's config file (`LLAMALIFT_CONFIG`, else the platform's own place); it need not exist."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else user_config_path("llamalift") / "config.yaml"


def read_config(file: Path | None = None) -> UserConfig:
    """What the config file says; everything is left open where there is none.

    Raises:
        SpecError: It is wrong; carries every problem.
    """
    file = file or config_file()
    try:
        document = read_yaml(file.read_bytes())
    except FileNotFoundError:
        return UserConfig()
    except OSError as error:
        raise SpecError(f"cannot read your config file: {file} ({error.strerror})") from error
    if document.values is None and not document.problems:
        return UserConfig()
    problems = list(document.problems)
    try:
        config = UserConfig.model_validate_json(json.dumps(document.values))
    except ValidationError as error:
        problems += complaints(error.errors(), document)
    if problems:
        raise _wrong(file, problems)
    return config


def settings_of(notify: Notify, config: UserConfig) -> Settings:
    """Put the run file's section over the user's own."""
    mine = config.notify
    desktop = mine.desktop if notify.desktop == "auto" else notify.desktop
    webhook = mine.webhook if notify.webhook == "auto" else notify.webhook
    when = mine.when if notify.when == "auto" else notify.when
    return Settings(
        desktop=desktop is True,
        webhook=None if webhook == "auto" else webhook,
        when=frozenset(EVERY_OCCASION if when == "auto" else when),
    )


def check(spec: RunFile) -> None:
    """Refuse what could tell nobody: before anything exists, it is a mistake; later it is none of the run's business.

    Raises:
        SpecError: The config file is wrong, or a webhook's secret that the run file names is nowhere.
    """
    from runs.secrets import read_secrets

    read_config()
    if spec.notify.webhook not in ("auto", None):
        read_secrets([spec.notify.webhook])


def _wrong(file: Path, problems: list[Problem]) -> SpecError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return SpecError(
        f"{count} in your config file: {file}", problems, file=str(file), hint="it takes one section: `notify`"
    )
