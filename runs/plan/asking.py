"""What a run file makes us ask the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.survey_types import SurveyRequest
from provisioning.types import ImageReference
from runs.plan.candidates import study_of

if TYPE_CHECKING:
    from runs.spec.load import LoadedRunFile


def survey_request(loaded: LoadedRunFile) -> SurveyRequest:
    """Give the questions of a run: every size that may do, in every region, with the workspace disk that it takes.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    candidates = study_of(loaded).candidates
    # What does not hold the run is not worth a question; when nothing does, the study has refused the run file.
    usable = [one.figures for one in candidates if one.obstacle is None]
    machine, disk = loaded.spec.machine, usable[0].disk
    return SurveyRequest(
        sizes=tuple(dict.fromkeys(figures.size.name for figures in usable)),
        regions=machine.regions,
        image=ImageReference(*machine.image.split(":")),
        workspace_gib=disk.gib,
        workspace_disk_type=disk.disk_type,
    )
