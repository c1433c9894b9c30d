"""What the cloud says of the account: sign-in, clock, rights, resource providers, quota. Creates nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from provisioning.survey_types import SurveyRequest, Topic
from provisioning.types import ImageReference
from runs.checkup.finding import Area, Finding, Verdict
from runs.plan.verdict import counting_quotas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.survey_types import SizeOffer, Survey
    from provisioning.types import Cloud, Progress
    from runs.spec.machine import Machine

# Azure refuses a token whose times are more than five minutes off; a minute is worth a word before that.
_SKEW_SECONDS, _MOST_SKEW_SECONDS = 60.0, 300.0
_TOPICS = frozenset({Topic.RIGHTS, Topic.PROVIDERS, Topic.QUOTA, Topic.SIZES})


def check_account(cloud: Cloud, machine: Machine, progress: Progress) -> Iterator[Finding]:
    """Every check of the account; what cannot be asked is a finding, too.

    Args:
        cloud: Whose account.
        machine: What is to be rented: its size is looked for in its regions.
        progress: Is told what is asked.
    """
    from provisioning.clouds import clock_skew_seconds

    progress("asking the cloud what time it is")
    yield _clock(clock_skew_seconds(cloud))
    try:
        progress("signing in")
        account = cloud.account()
        yield _ok("sign-in", f"{account.display_name or account.subscription_id} ({account.subscription_id})")
        survey = cloud.survey(_request(machine), progress)
    except ProvisioningError as error:
        yield _fail("sign-in", error.fact, error.hint)
        return
    yield from _rights(survey)
    yield _providers(survey)
    yield from (_quota(offer, spot=machine.spot) for offer in survey.offers)
    for one in survey.unanswered:
        yield _warn(
            str(one.topic), f"not answered{f' in {one.region}' if one.region else ''}: {one.error.fact}", one.error.hint
        )


def _request(machine: Machine) -> SurveyRequest:
    # Of the disk only its price would be asked, which is none of the topics here.
    return SurveyRequest(
        sizes=(_size(machine),), regions=tuple(machine.regions), image=ImageReference(*machine.image.split(":")),
        workspace_gib=1024, workspace_disk_type="Premium_LRS", topics=_TOPICS,
    )  # fmt: skip


def _size(machine: Machine) -> str:
    from runs.spec.machine import Machine as Defaults

    return machine.size if machine.size != "auto" else str(Defaults.model_fields["size"].default)


def _clock(skew: float | None) -> Finding:
    if skew is None:
        return _warn("clock", "the cloud did not say what time it is", "is there a connection to the internet?")
    fact = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the cloud's" if abs(skew) >= 1 else "right"
    hint = "set this computer's clock, at best by the network (NTP); Azure refuses tokens from another time"
    if abs(skew) > _MOST_SKEW_SECONDS:
        return _fail("clock", fact, hint)
    return _warn("clock", fact, hint) if abs(skew) > _SKEW_SECONDS else _ok("clock", fact)


def _rights(survey: Survey) -> Iterator[Finding]:
    may_create, may_assign = survey.rights.may_create, survey.rights.may_assign_roles
    if may_create is not None:
        yield (
            _ok("rights", "you may create what a run needs")
            if may_create
            else _fail("rights", "you may not create a resource group here", "ask for Contributor on the subscription")
        )
    if may_assign is not None:
        yield (
            _ok("end itself", "a machine may be allowed to end its own bill")
            if may_assign
            else _warn(
                "end itself",
                "you may not assign roles, so a machine could only power off, which Azure goes on billing",
                "ask for User Access Administrator, or keep runs under 24 hours (docs/guides/azure-7b.md)",
            )
        )


def _providers(survey: Survey) -> Finding:
    missing = [one.namespace for one in survey.providers if not one.is_registered]
    if not missing:
        return _ok("providers", ", ".join(one.namespace for one in survey.providers) or "not asked")
    commands = "; ".join(f"az provider register --namespace {name}" for name in missing)
    return _warn("providers", f"not registered: {', '.join(missing)}", commands)


def _quota(offer: SizeOffer, *, spot: bool) -> Finding:
    where = f"{offer.size} in {offer.region}"
    if offer.is_offered is False:
        return _warn(
            "quota", f"{where}: not offered to this subscription ({offer.restriction or 'no reason given'})", _ELSEWHERE
        )
    counting = counting_quotas(offer, spot=spot)
    words = ", ".join(f"{one.free} of {one.limit} {one.title or one.name} free" for one in counting)
    if not counting:
        return _warn("quota", f"{where}: the cloud did not say", "ask again, or see `llamalift plan`")
    if any(one.free < offer.vcpus for one in counting):
        return _warn(
            "quota",
            f"{where} needs {offer.vcpus} vCPUs: {words}",
            "`llamalift plan` says the command to ask for more with",
        )
    return _ok("quota", f"{where}: {words}")


_ELSEWHERE = "name another region or size: `llamalift plan` puts them side by side"


def _ok(subject: str, fact: str) -> Finding:
    return Finding(Area.ACCOUNT, subject, Verdict.OK, fact)


def _warn(subject: str, fact: str, hint: str) -> Finding:
    return Finding(Area.ACCOUNT, subject, Verdict.WARN, fact, hint)


def _fail(subject: str, fact: str, hint: str) -> Finding:
    return Finding(Area.ACCOUNT, subject, Verdict.FAIL, fact, hint)
