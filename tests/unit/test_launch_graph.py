"""The yardstick of a launch: what must be made after what, and how long the longest chain of it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.azure.stack import Stack
from tests.fakes.azure_samples import NAMES, ON_DEMAND
from tests.fakes.azure_times import MEDIANS, launch_graph, longest_path


def test_the_longest_path_goes_through_the_network_to_the_machine() -> None:
    """Group 1 s, network 4, interface 2, machine 89, and a journey of 0.15 s for each."""
    chain, seconds = longest_path(launch_graph(Stack.of(ON_DEMAND, NAMES), MEDIANS))
    assert [node.name for node in chain][-3:] == ["network interface", "virtual machine", "SSH answers"]
    assert seconds == pytest.approx(1 + 4 + 2 + 89 + 4 * 0.15)


def test_every_time_is_scaled() -> None:
    """A tenth of the time for all of it."""
    graph = launch_graph(Stack.of(ON_DEMAND, NAMES), replace(MEDIANS, scale=0.1))
    assert longest_path(graph)[1] == pytest.approx(9.66)
