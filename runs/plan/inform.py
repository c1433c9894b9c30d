"""Plans with what the cloud says now, or said a little while ago. Creates nothing; rights to read are enough."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runs.plan.asking import survey_request
from runs.plan.facts import NOTHING, Facts, answered, joined, stale_topics
from runs.plan.facts_cache import FactsCache
from runs.plan.make import make_plan

if TYPE_CHECKING:
    from provisioning.survey_types import SurveyRequest
    from provisioning.types import Cloud, Progress
    from runs.plan.plan import Plan
    from runs.spec.load import LoadedRunFile
    from runs.state_folder import StateFolder


def informed_plan(
    loaded: LoadedRunFile, state: StateFolder, progress: Progress, *, offline: bool = False, refresh: bool = False
) -> Plan:
    """Plan a run with what its cloud says.

    Args:
        loaded: The run file.
        state: Where answers are kept: limits for 10 minutes, prices for an hour.
        progress: Is told what is asked.
        offline: Ask nobody: take what was kept, however old, else list prices.
        refresh: Ask everything anew.

    Raises:
        SpecError: The run cannot work as it is; carries every reason. Nobody was asked.
        ProvisioningError: The account cannot be used, or the rehearsal cloud cannot be started.
    """
    # What is wrong with the run file is said before anybody is asked.
    request = survey_request(loaded)
    cache = FactsCache(state, loaded.spec.cloud, request)
    if offline:
        facts = replace(cache.read(loaded.spec.subscription), is_offline=True)
    else:
        facts = _asked(loaded, state, cache, request, progress, refresh=refresh)
    return make_plan(loaded, facts.survey, facts=facts)


def _asked(
    loaded: LoadedRunFile,
    state: StateFolder,
    cache: FactsCache,
    request: SurveyRequest,
    progress: Progress,
    *,
    refresh: bool,
) -> Facts:
    from provisioning.clouds import open_cloud

    cloud = open_cloud(loaded.spec.cloud, subscription_id=loaded.spec.subscription, state_folder=state.root)
    try:
        progress("signing in")
        known = NOTHING if refresh else cache.read(cloud.account().subscription_id)
        return _brought_up_to_date(cloud, known, cache, request, progress)
    finally:
        cloud.close()


def _brought_up_to_date(
    cloud: Cloud, known: Facts, cache: FactsCache, request: SurveyRequest, progress: Progress
) -> Facts:
    topics = stale_topics(known, time.time())
    if not topics:
        return known
    survey = cloud.survey(replace(request, topics=topics), progress)
    facts = joined(known, survey, topics)
    if answered(survey, topics):
        cache.write(facts)
    return facts
