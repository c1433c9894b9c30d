"""Rows of Parquet files, by pyarrow: part of the training environment, an extra at home."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from templates.curation.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Rows of a batch: a row group may hold millions.
_BATCH_ROWS = 2048


def row_groups(path: Path) -> int:
    """Count the row groups of a file.

    Raises:
        InputError: It is no Parquet file.
        MissingError: pyarrow is not installed.
    """
    return int(_opened(path).num_row_groups)


def read_row_group(path: Path, number: int) -> Iterator[tuple[list[str], list[object]]]:
    """Yield the rows of a row group in batches, each row as one line of JSON and as a value."""
    for batch in _opened(path).iter_batches(_BATCH_ROWS, row_groups=[number]):
        rows: list[object] = batch.to_pylist()
        yield [_line(row) for row in rows], rows


def _opened(path: Path) -> Any:  # noqa: ANN401 (pyarrow has no types)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingError(f"Parquet needs pyarrow, which is not installed; this file is Parquet: {path}") from error
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"not Parquet: {path}: {error}") from error


def _line(row: object) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False, default=str)


def _finite(value: object) -> object:
    """JSON has no word for what is not a number."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
