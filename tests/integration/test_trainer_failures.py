"""The real trainer under the real agent: killed, and on a GPU that is too small. Two DeepSpeed processes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.fakes.agent_training import AgentTraining
from tests.fakes.trainer_kills import KilledTraining, Undisturbed, flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def undisturbed(machine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Eight steps under ZeRO-2, nothing in their way."""
    return Undisturbed.train(tmp_path_factory.mktemp("undisturbed") / "run", machine_python, "zero2", epochs=1)


@pytest.fixture
def killed(machine_python: Path, tmp_path: Path) -> Iterator[KilledTraining]:
    """The same eight steps under an agent."""
    training = KilledTraining.start(tmp_path, machine_python, "zero2", epochs=1, max_restarts=5)
    yield training
    training.run.agent.close()


def test_a_killed_training_ends_as_if_nothing_had_been(killed: KilledTraining, undisturbed: Undisturbed) -> None:
    """One rank in a step, then the launcher in a save: nobody trains on, no more is lost than promised, same bits."""
    chance = random.Random(7)  # noqa: S311 - no secret
    assert killed.kill("step", "rank", chance)
    assert killed.kill("save", "launcher", chance)
    assert killed.wrong_at_the_end(undisturbed) == []
    assert [(kill.wrong, kill.orphans) for kill in killed.kills] == [((), 0), ((), 0)]
    notes = killed.run.agent.snapshot()["notes"]
    assert any("train failed (killed): ended by signal: SIGKILL" in note for note in notes)


def test_a_full_gpu_trains_on_with_fewer_rows_to_the_same_losses(
    machine_python: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """Rank 1 has room for two rows, not for four, from the third step on: half the rows at once, the same curve.

    Within 2e-5: sums of the same figures in another order, in fp32 or bf16 with fp32 sums over eight steps.
    """
    run = AgentTraining.prepare(tmp_path, machine_python, "zero2")
    # Two layers, two steps.
    run.on_small_gpu(rows=2, free_calls=2 * 2)
    run.submit(flags(epochs=1))
    run.agent.start()
    try:
        document = run.wait_until_done()
        assert (document["phase"], len(run.attempts())) == ("done", 2), document
        assert any("train failed (gpu_out_of_memory)" in note and "(rank 1)" in note for note in document["notes"])
        assert any("2 rows at once instead of 4, 2 times as often" in note for note in document["notes"])
        assert run.losses() == pytest.approx(undisturbed.losses, abs=2e-5)
    finally:
        run.agent.close()
