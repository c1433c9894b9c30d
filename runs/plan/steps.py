"""How many optimizer steps a run takes, counted as Transformers' Trainer counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.spec.sources import HubSource, LocalSource, parse_source
from templates.training.conversations import read_conversations
from templates.training.prompts import characters

if TYPE_CHECKING:
    from runs.spec.load import LoadedRunFile
    from runs.spec.train import Train

# Rows after the publisher's filtering.
_KNOWN_ROWS = {"ehartford/wizardlm_alpaca_evol_instruct_70k_unfiltered": 54_974}

# Characters per token of English text in a LLaMA vocabulary, low on purpose: an estimate should not be too short.
_CHARACTERS_PER_TOKEN = 3.0
# A batch is as long as its longest row: this share of the slots held tokens in a measured data set.
PADDED_FILL = 0.487


@dataclass(frozen=True, slots=True)
class DataSize:
    """How much data there is.

    Attributes:
        rows: Number of rows.
        stored_bytes: Bytes of the file; 0 when it is not on this computer.
        tokens_per_row: Slots that one row takes in a padded batch, estimated and at most `train.model_max_length`.
        basis: Where the number of rows comes from, in words.
        mean_tokens: Tokens of a row on average, estimated; `train.model_max_length` when nothing tells.
    """

    rows: int
    stored_bytes: int
    tokens_per_row: float
    basis: str
    mean_tokens: float


def data_size(loaded: LoadedRunFile) -> DataSize | None:
    """Find out how much data a run has; None when nothing tells.

    Raises:
        DataError: A local file does not hold conversations.
    """
    source = parse_source(loaded.spec.data.source)
    longest = loaded.spec.train.model_max_length
    if isinstance(source, HubSource):
        rows = _KNOWN_ROWS.get(source.repository.lower())
        return None if rows is None else DataSize(rows, 0, longest, "known data set", longest)
    if not isinstance(source, LocalSource):
        return None
    file = loaded.resolve(source.path)
    name = loaded.spec.data.prompt_format
    lengths = [min(longest, characters(name, row) / _CHARACTERS_PER_TOKEN) for row in read_conversations(file)]
    mean = sum(lengths) / len(lengths)
    padded = min(longest, mean / PADDED_FILL)
    return DataSize(len(lengths), file.stat().st_size, padded, "counted in the file", mean)


def rows_per_step(train: Train, processes: int) -> int:
    """Give the rows that one optimizer step sees."""
    return processes * train.per_device_train_batch_size * train.gradient_accumulation_steps


def total_steps(rows: int, train: Train, processes: int) -> int:
    """Give the optimizer steps of the whole run.

    Source: `Trainer.set_initial_training_values` of Transformers 5.23: each process sees every `processes`-th batch,
    short batches and short accumulations count, and epochs may be fractions. A positive `max_steps` wins.
    """
    wanted = train.flag("max_steps")
    if isinstance(wanted, int) and wanted > 0:
        return wanted
    whole = train.flag("dataloader_drop_last") is True
    batch = train.per_device_train_batch_size
    batches = rows // batch if whole else math.ceil(rows / batch)
    per_process = batches // processes if whole else math.ceil(batches / processes)
    per_epoch = max(1, math.ceil(per_process / train.gradient_accumulation_steps))
    return math.ceil(train.num_train_epochs * per_epoch)
