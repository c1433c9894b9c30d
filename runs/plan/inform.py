"""Plans with what the cloud says now, or said a little while ago. Creates nothing; rights to read are enough."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from runs.plan.asking import survey_request
from runs.plan.facts import NOTHING, Facts, answered, joined, stale_topics
from runs.plan.facts_cache import FactsCache
from runs.plan.make import make_plan
from runs.plan.source_checks import check_sources, unknown_notes

if TYPE_CHECKING:
    from provisioning.types import Cloud, Progress
    from runs.plan.plan import Plan
    from runs.plan.source_checks import SourceAnswer
    from runs.spec.load import LoadedRunFile
    from runs.state_folder import StateFolder


def informed_plan(
    loaded: LoadedRunFile, state: StateFolder, progress: Progress, *, offline: bool = False, refresh: bool = False
) -> Plan:
    """Plan a run with what its cloud says.

    Args:
        loaded: The run file.
        state: Where answers are kept.
        progress: Is told what is asked.
        offline: Ask nobody: take what was kept, however old, else list prices.
        refresh: Ask everything anew.

    Raises:
        SpecError: The run cannot work as it is; carries every reason. Nobody was asked.
        ProvisioningError: The account cannot be used, or the rehearsal cloud cannot be started.
    """
    if offline:
        return make_plan(loaded, facts=kept_facts(loaded, state))
    # What is wrong with the run file is said before anybody is asked.
    survey_request(loaded)
    from provisioning.clouds import open_cloud

    cloud = open_cloud(loaded.spec.cloud, subscription_id=loaded.spec.subscription, state_folder=state.root)
    try:
        with ThreadPoolExecutor(1) as beside:
            sources = beside.submit(check_sources, loaded)
            facts = asked_facts(cloud, loaded, state, progress, refresh=refresh)
            return with_sources(make_plan(loaded, facts=facts), sources.result())
    finally:
        cloud.close()


def with_sources(plan: Plan, sources: tuple[SourceAnswer, ...]) -> Plan:
    """The same plan, with what the sources said."""
    return replace(plan, sources=sources, notes=(*plan.notes, *unknown_notes(sources)))


def kept_facts(loaded: LoadedRunFile, state: StateFolder) -> Facts:
    """Give what was kept, however old, of the run file's subscription, or of the one that was asked last.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    cache = FactsCache(state, loaded.spec.cloud, survey_request(loaded))
    return replace(cache.read(loaded.spec.subscription), is_offline=True)


def asked_facts(
    cloud: Cloud, loaded: LoadedRunFile, state: StateFolder, progress: Progress, *, refresh: bool = False
) -> Facts:
    """Ask a cloud what was not asked lately: limits keep for 10 minutes, prices for an hour.

    Args:
        cloud: The cloud of the run file; it is signed in to in any case.
        loaded: The run file.
        state: Where answers are kept. What got no answer is not.
        progress: Is told what is asked.
        refresh: Ask everything anew.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
        ProvisioningError: The account cannot be used.
    """
    request = survey_request(loaded)
    cache = FactsCache(state, loaded.spec.cloud, request)
    progress("signing in")
    account = cloud.account()
    known = NOTHING if refresh else cache.read(account.subscription_id)
    topics = stale_topics(known, time.time())
    if not topics:
        return known
    survey = cloud.survey(replace(request, topics=topics), progress)
    facts = joined(known, survey, topics)
    if answered(survey, topics):
        cache.write(facts)
    return facts
