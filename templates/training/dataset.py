"""Rows become tokens: once, by rank 0, kept beside the run for every rank and every later attempt."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from templates.training.conversations import Conversation, Turn, read_conversations
from templates.training.errors import DataError
from templates.training.packing import PACKED, SPLITTING, Packing
from templates.training.prompts import IGNORED, answers_learnt, encode

if TYPE_CHECKING:
    from pathlib import Path

    import datasets
    from transformers import PreTrainedTokenizerBase

_LAYOUT = "conversations-1"
_COUNTS = "counts.json"
# Packs are filled from so many rows at a time: more fill them better, and take longer.
_PACKED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What becomes of the rows.

    Attributes:
        prompt_format: How a conversation becomes text.
        longest_row: Tokens at which a row is cut, and the length of a pack.
        packing: How rows are laid into batches.
    """

    prompt_format: str
    longest_row: int
    packing: Packing = "none"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows.

    Attributes:
        rows: Rows to train on.
        tokens: Their tokens, prompts included.
        truncated: Rows whose answer was cut at the longest length.
        dropped: Rows left out because their prompt alone reaches the longest length: nothing would be learnt.
        last_only: Conversations of which the last answer alone is learnt: the chat template changes the others.
        packs: What the rows were packed into; 0 without packing.
        unlearnt: Tokens of answers that are not learnt because a pack begins with them.
    """

    rows: int
    tokens: int
    truncated: int
    dropped: int
    last_only: int = 0
    packs: int = 0
    unlearnt: int = 0


def tokenise(
    conversations: list[Conversation], tokenizer: PreTrainedTokenizerBase, prompt_format: str, max_length: int | None
) -> dict[str, list[Any]]:
    """Give `input_ids`, `labels` (-100 for all but the answers) and `length` (before the cut), an entry for each row.

    Args:
        conversations: The rows.
        tokenizer: Equipped for the format.
        prompt_format: How a conversation becomes text.
        max_length: Where a row is cut; None leaves it whole.
    """
    ids, labels = encode(prompt_format, conversations, tokenizer)
    return {
        "input_ids": [row[:max_length] for row in ids],
        "labels": [row[:max_length] for row in labels],
        "length": [len(row) for row in ids],
    }


def prepare(path: Path, tokenizer: PreTrainedTokenizerBase, shape: Shape, cache: Path) -> Path:
    """Tokenise the data into a folder under `cache` named after all that decides its content, unless it is there.

    Raises:
        DataError: The data cannot be trained on.
    """
    target = cache / _key(path, tokenizer, shape)
    if not target.exists():
        staging = cache / f".staging-{target.name}"
        shutil.rmtree(staging, ignore_errors=True)
        _write(read_conversations(path), tokenizer, shape, staging)
        os.rename(staging, target)  # noqa: PTH104 - rename, not Path.replace: the target must not be there
    return target


def load(folder: Path) -> tuple[datasets.Dataset, Counts]:
    """Open what `prepare` wrote."""
    import datasets

    return datasets.load_from_disk(str(folder)), Counts(**json.loads((folder / _COUNTS).read_text()))


def _key(path: Path, tokenizer: PreTrainedTokenizerBase, shape: Shape) -> str:
    if not path.is_file():
        raise DataError(f"no such data file: {path}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    words = [tokenizer.eos_token_id, tokenizer.chat_template, sorted(tokenizer.get_vocab().items())]
    digest.update(json.dumps([_LAYOUT, asdict(shape), *words]).encode())
    return digest.hexdigest()[:16]


def _write(rows: list[Conversation], tokenizer: PreTrainedTokenizerBase, shape: Shape, target: Path) -> None:
    whole = _tokenised(rows, tokenizer, shape)
    kept = _taught(whole)
    if not len(kept):
        raise DataError(f"every row's prompt is longer than --model_max_length: {shape.longest_row}")
    longest = None if shape.packing in SPLITTING else shape.longest_row
    lengths = kept["length"]
    counts = Counts(
        rows=len(kept),
        tokens=sum(length if longest is None else min(length, longest) for length in lengths),
        truncated=0 if longest is None else sum(length > longest for length in lengths),
        dropped=len(whole) - len(kept),
        last_only=_last_only(rows, tokenizer, shape.prompt_format),
    )
    kept = kept.remove_columns("length")
    if shape.packing in PACKED:
        kept, counts = _packed(kept, counts, shape)
    kept.save_to_disk(str(target))
    (target / _COUNTS).write_text(json.dumps(asdict(counts)))


def _tokenised(rows: list[Conversation], tokenizer: PreTrainedTokenizerBase, shape: Shape) -> datasets.Dataset:
    import datasets

    longest = None if shape.packing in SPLITTING else shape.longest_row

    def batch(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        conversations = [tuple(Turn(**turn) for turn in turns) for turns in columns["turns"]]
        return tokenise(conversations, tokenizer, shape.prompt_format, longest)

    integers = datasets.Sequence(datasets.Value("int32"))
    features = {"input_ids": integers, "labels": integers, "length": datasets.Value("int32")}
    return datasets.Dataset.from_dict({"turns": [[asdict(turn) for turn in row] for row in rows]}).map(
        batch,
        batched=True,
        remove_columns=["turns"],
        features=datasets.Features(features),
        # The library's own cache does not notice every change of a tokenizer; ours is the folder's name.
        keep_in_memory=True,
        load_from_cache_file=False,
    )


def _taught(rows: datasets.Dataset) -> datasets.Dataset:
    """Those that something can be learnt from."""
    return rows.select(
        [number for number, labels in enumerate(rows["labels"]) if any(label != IGNORED for label in labels)]
    )


def _last_only(rows: list[Conversation], tokenizer: PreTrainedTokenizerBase, prompt_format: str) -> int:
    if prompt_format != "tokenizer":
        return 0
    several = [row for row in rows if sum(turn.role == "assistant" for turn in row) > 1]
    return sum(answers_learnt(prompt_format, row, tokenizer) == 1 for row in several)


def _packed(rows: datasets.Dataset, counts: Counts, shape: Shape) -> tuple[datasets.Dataset, Counts]:
    """Fill packs by TRL, and note how long the rows in each are: what keeps them apart in the attention."""
    from trl import pack_dataset

    options = {"batch_size": _PACKED_AT_ONCE, "keep_in_memory": True, "load_from_cache_file": False}
    if shape.packing == "wrapped":
        # TRL cuts its packs out of one stream and forgets where rows begin: a column of starts is cut along.
        starts = [[1, *[0] * (len(ids) - 1)] for ids in rows["input_ids"]]
        packs = pack_dataset(rows.add_column("starts", starts), shape.longest_row, "wrapped", options)
        lengths = [_lengths(row) for row in packs["starts"]]
        packs = packs.remove_columns("starts").add_column("seq_lengths", lengths)
    else:
        packs = pack_dataset(rows, shape.longest_row, shape.packing, options)
    packs = _taught(packs)
    return packs, replace(counts, packs=len(packs), unlearnt=sum(map(_first_labels, packs)))


def _lengths(starts: list[int]) -> list[int]:
    begins = [0, *(place for place, start in enumerate(starts) if start and place), len(starts)]
    return [after - before for before, after in pairwise(begins)]


def _first_labels(pack: dict[str, list[int]]) -> int:
    """Pieces of a row that begin with a token of its answer, for which nothing to foretell it from is there."""
    place, count = 0, 0
    for length in pack["seq_lengths"]:
        count += pack["labels"][place] != IGNORED
        place += length
    return count
