"""Rows become tokens: once, by rank 0, kept beside the run for every rank and every later attempt."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from templates.training.alpaca import Row, prompt, read_rows
from templates.training.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import datasets
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
_LAYOUT = "alpaca-1"
_COUNTS = "counts.json"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows.

    Attributes:
        rows: Rows to train on.
        tokens: Their tokens, prompts included.
        truncated: Rows whose answer was cut at the longest length.
        dropped: Rows left out because their prompt alone reaches the longest length: nothing would be learnt.
    """

    rows: int
    tokens: int
    truncated: int
    dropped: int


def tokenise(rows: list[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, list[Any]]:
    """Give `input_ids`, `labels` (the prompt masked) and `length` (before the cut), one entry for each row.

    As in Llama-X: prompt and answer are tokenised as one text, with the end-of-sequence token after the answer, and
    the label of as many tokens as the prompt alone has is -100.
    """
    prompts = [prompt(row.instruction, row.input) for row in rows]
    whole = tokenizer([text + row.output for text, row in zip(prompts, rows, strict=True)], verbose=False)["input_ids"]
    alone = tokenizer(prompts, verbose=False)["input_ids"]
    end = tokenizer.eos_token_id
    ended = [ids if ids[-1] == end else [*ids, end] for ids in whole]
    cut = [ids[:max_length] for ids in ended]
    masked = [min(len(ids), len(before)) for ids, before in zip(cut, alone, strict=True)]
    return {
        "input_ids": cut,
        "labels": [[IGNORED] * count + ids[count:] for ids, count in zip(cut, masked, strict=True)],
        "length": [len(ids) for ids in ended],
    }


def prepare(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, cache: Path) -> Path:
    """Tokenise the data into a folder under `cache` named after all that decides its content, unless it is there.

    Raises:
        DataError: The data cannot be trained on.
    """
    target = cache / _key(path, tokenizer, max_length)
    if not target.exists():
        staging = cache / f".staging-{target.name}"
        shutil.rmtree(staging, ignore_errors=True)
        _write(read_rows(path), tokenizer, max_length, staging)
        os.rename(staging, target)  # noqa: PTH104 - rename, not Path.replace: the target must not be there
    return target


def load(folder: Path) -> tuple[datasets.Dataset, Counts]:
    """Open what `prepare` wrote."""
    import datasets

    return datasets.load_from_disk(str(folder)), Counts(**json.loads((folder / _COUNTS).read_text()))


def _key(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> str:
    if not path.is_file():
        raise DataError(f"no such data file: {path}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    settings = [_LAYOUT, max_length, tokenizer.eos_token_id, sorted(tokenizer.get_vocab().items())]
    digest.update(json.dumps(settings).encode())
    return digest.hexdigest()[:16]


def _write(rows: list[Row], tokenizer: PreTrainedTokenizerBase, max_length: int, target: Path) -> None:
    import datasets

    def batch(columns: dict[str, list[str]]) -> dict[str, list[Any]]:
        values = zip(*(columns[name] for name in ("instruction", "input", "output")), strict=True)
        return tokenise([Row(*texts) for texts in values], tokenizer, max_length)

    integers = datasets.Sequence(datasets.Value("int32"))
    whole = datasets.Dataset.from_list([asdict(row) for row in rows]).map(
        batch,
        batched=True,
        remove_columns=["instruction", "input", "output"],
        features=datasets.Features({"input_ids": integers, "labels": integers, "length": datasets.Value("int32")}),
        # The library's own cache does not notice every change of a tokenizer; ours is the folder's name.
        keep_in_memory=True,
        load_from_cache_file=False,
    )
    taught = [number for number, labels in enumerate(whole["labels"]) if any(label != IGNORED for label in labels)]
    if not taught:
        raise DataError(f"every row's prompt is longer than --model_max_length: {max_length}")
    kept = whole.select(taught)
    counts = Counts(
        rows=len(kept),
        tokens=sum(min(length, max_length) for length in kept["length"]),
        truncated=sum(length > max_length for length in kept["length"]),
        dropped=len(whole) - len(kept),
    )
    kept.remove_columns("length").save_to_disk(str(target))
    (target / _COUNTS).write_text(json.dumps(asdict(counts)))
