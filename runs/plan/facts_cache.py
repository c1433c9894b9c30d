"""What the cloud said, kept in the user's state folder: one private JSON file for each set of questions."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

from runs.plan.facts import NOTHING, Facts
from runs.plan.survey_json import from_json, to_json
from runs.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.survey_types import SurveyRequest
    from runs.state_folder import StateFolder

_VERSION = 1
# Whoever plans with many run files leaves no more than this many answers behind.
_MOST_FILES = 50


class FactsCache:
    """The answers to one request on one cloud."""

    def __init__(self, state: StateFolder, cloud: str, request: SurveyRequest) -> None:
        asked = [
            cloud, sorted(request.sizes), sorted(request.regions), str(request.image), request.workspace_gib,
            request.workspace_disk_type,
        ]  # fmt: skip
        self._folder: Path = state.root / "facts"
        self._name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]

    def read(self, subscription_id: str | None) -> Facts:
        """Give what was kept of a subscription, or of the one that was asked last; nothing when there is none."""
        found = [self._read(file) for file in self._files(subscription_id)]
        return max(found, key=lambda facts: facts.account_at or 0.0, default=NOTHING)

    def write(self, facts: Facts) -> None:
        """Keep facts. What cannot be written is not kept: the next plan asks again."""
        if facts.survey is None:
            return
        values = {
            "version": _VERSION,
            "account_at": facts.account_at,
            "market_at": facts.market_at,
            "survey": to_json(facts.survey),
        }
        file = self._folder / f"{self._name}-{facts.survey.account.subscription_id}.json"
        # A full disk or a folder without rights costs the next plan a few seconds, not this one its answer.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(file, json.dumps(values))
            self._prune()

    def _files(self, subscription_id: str | None) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}-{subscription_id or '*'}.json"))

    def _read(self, file: Path) -> Facts:
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            if values["version"] != _VERSION:
                return NOTHING
            return Facts(from_json(values["survey"]), values["account_at"], values["market_at"])
        except (OSError, KeyError, TypeError, ValueError):
            # Damaged, or of another version: as good as nothing.
            return NOTHING

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[_MOST_FILES:]:
            file.unlink(missing_ok=True)
