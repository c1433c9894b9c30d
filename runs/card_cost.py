"""What the model has cost goes into its card once the model is home: only the client knows all of it."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from runs.cost import cost_of_run
from templates.after.card_text import CARD, COST_BEGINS, COST_ENDS, cost_section
from templates.agent.atomic import write_bytes
from templates.agent.manifest import NAME, read_manifest, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from runs.cost import RunCost
    from runs.journal import Journal


def complete_card(folder: Path, journal: Journal, run_id: str) -> str:
    """Complete the card of a model that has come home; give the SHA-256 of its manifest, which has the new card.

    Cut short, it leaves a folder that the next collection brings back to what the machine has.

    Args:
        folder: The model's folder here, complete.
        journal: What knows the run's charges.
        run_id: The run.

    Raises:
        OSError: The disk refused.
    """
    card = folder / CARD
    if card.is_file():
        cost = cost_of_run(journal, run_id)
        data = completed(card.read_text(encoding="utf-8"), cost_words(cost, time.time())).encode()
        manifest = read_manifest(folder)
        write_bytes(card, data)
        manifest["files"][CARD] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        write_manifest(folder, manifest)
    return hashlib.sha256((folder / NAME).read_bytes()).hexdigest()


def completed(text: str, words: str) -> str:
    """Put `words` between the marks of a card; a card without them stays as it is."""
    head, begins, rest = text.partition(COST_BEGINS)
    _, ends, tail = rest.partition(COST_ENDS)
    return f"{head}{cost_section(words)}{tail}" if begins and ends else text


def cost_words(cost: RunCost, now: float) -> str:
    """The cost so far as a table."""
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    rehearsed = " on Azure (a rehearsal: nothing was paid)" if cost.cloud == "rehearsal" else ""
    rows = [
        f"| {line.component} {line.detail} | {line.hours:.2f} | ${line.dollars:.2f} | {line.basis} |"
        for line in cost.lines
    ]
    return "\n".join(
        [
            f"${cost.dollars:.2f}{rehearsed} until the model was home ({day}); deleting the machine comes after that.",
            "",
            "| what | hours | dollars | price from |",
            "|---|---|---|---|",
            *rows,
        ]
    )
