"""Why a plan cannot become a run: one error of our trees, with the one thing to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import (
    CapacityError,
    ProvisioningError,
    QuotaError,
    RequestRefusedError,
    RightsError,
)
from runs.plan.obstacles import Obstacle, Why
from runs.plan.source_checks import refusal_of_sources
from runs.plan.trouble import Trouble
from runs.spec.load import wrong_run_file
from runs.switches import long_run_refusal

if TYPE_CHECKING:
    from runs.errors import RunError
    from runs.plan.placements import PricedPlacement
    from runs.plan.plan import Plan
    from runs.spec.load import LoadedRunFile
    from runs.spec.yaml_reader import Place

_RIGHTS_HINT = (
    "ask for Contributor on the subscription, or sign in as someone else with: az login; "
    "see your roles with: az role assignment list --include-inherited --output table"
)
_OF_THE_CLOUD: dict[Why, type[ProvisioningError]] = {
    Why.QUOTA: QuotaError,
    Why.NOT_OFFERED: CapacityError,
    Why.ZONE: CapacityError,
    Why.SPOT: RequestRefusedError,
    Why.IMAGE: RequestRefusedError,
}
# What the run file itself rules out, and where it says so.
_OF_THE_RUN_FILE = {
    Why.MAX_PRICE: ("machine", "max_price"),
    Why.DEADLINE: ("limits", "hours"),
    Why.BUDGET: ("limits", "dollars"),
    Why.FIT: ("machine",),
}


def refusal_of(loaded: LoadedRunFile, plan: Plan) -> RunError | ProvisioningError | None:
    """Say why the run cannot be launched as things are, or None when at least one placement is worth a try."""
    survey = plan.survey
    if survey is not None and survey.rights.may_create is False:
        name = survey.account.display_name or survey.account.subscription_id
        return RightsError(
            f"you may not create what a run needs (a resource group, a network, a machine) in: {name}",
            hint=_RIGHTS_HINT,
        )
    if (missing := refusal_of_sources(loaded, plan.sources)) is not None:
        return missing
    if plan.chosen.obstacle is not None:
        return _error(loaded, *_telling(plan))
    return endless_bill(loaded, plan)


def endless_bill(loaded: LoadedRunFile, plan: Plan) -> RunError | None:
    """Say why nothing would end the bill of so long a run (`runs.switches.long_run_refusal`), or None."""
    too_long = long_run_refusal(
        plan.limits.hours,
        may_assign_roles=None if plan.survey is None else plan.survey.rights.may_assign_roles,
        is_accepted=loaded.spec.limits.accept_power_off,
    )
    return None if too_long is None else _of_run_file(loaded, ("limits", "hours"), too_long)


def _telling(plan: Plan) -> tuple[PricedPlacement, Obstacle]:
    """What stands in the way of the first choice; of a wish, of the best that would do at all."""
    blocked = [(one, one.obstacle) for one in plan.placements if one.obstacle is not None]
    return next(((one, why) for one, why in blocked if why.why is not Why.FIT), blocked[0])


def _error(loaded: LoadedRunFile, one: PricedPlacement, obstacle: Obstacle) -> RunError | ProvisioningError:
    kind = _OF_THE_CLOUD.get(obstacle.why)
    if kind is None:
        return _of_run_file(loaded, _OF_THE_RUN_FILE[obstacle.why], obstacle.fact)
    where = one.placement.region + (f" zone {one.placement.zone}" if one.placement.zone else "")
    return kind(f"{one.placement.size} cannot be had in {where}: {obstacle.fact}", hint=obstacle.hint)


def _of_run_file(loaded: LoadedRunFile, place: Place, message: str) -> RunError:
    trouble = Trouble.of(loaded)
    trouble.add(place, message)
    return wrong_run_file(loaded.path, list(trouble.problems))
