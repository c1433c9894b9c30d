"""What is to be curated: a file, or the data files of a folder, each cut into pieces that can be read side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from templates.curation.errors import InputError
from templates.curation.parquet import row_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# The rows of a piece are in memory at once, several times over, in each process.
PIECE_BYTES = 4 << 20
SUFFIXES = (".json", ".jsonl", ".parquet")
# Beside the data, repositories of the Hub describe it in files like these.
_DESCRIPTIONS = ("config.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json")
_BOM = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"

Kind = Literal["lines", "list", "parquet"]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of rows.

    Attributes:
        path: Where it is.
        kind: JSON lines, one JSON list, or Parquet.
        begin: Offset of the first row in bytes; 0 for Parquet.
        size_bytes: Its size.
    """

    path: Path
    kind: Kind
    begin: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of a file that begin between two offsets; for Parquet, the row group `begin`."""

    file: InputFile
    begin: int
    end: int


def find_inputs(path: Path) -> Sequence[InputFile]:
    """Give the files of an input, in the order of their names.

    Raises:
        InputError: There is none, or one is neither JSON nor Parquet.
    """
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        chosen = data_files(names)
        if not chosen:
            raise InputError(f"no {', '.join(SUFFIXES)} file in the folder: {path}")
        return [_opened(path / name) for name in chosen]
    return [_opened(path)]


def data_files(names: Iterable[str]) -> Sequence[str]:
    """Give those files of a folder that hold its data, in the order of their names.

    Those with `train` in their path are taken where there are any: the others are for testing.
    """
    data = sorted(name for name in names if name.endswith(SUFFIXES) and name.rpartition("/")[2] not in _DESCRIPTIONS)
    return [name for name in data if "train" in name.lower()] or data


def pieces_of(file: InputFile, piece_bytes: int = PIECE_BYTES) -> Iterator[Piece]:
    """Cut a file; where the cuts are follows from the file and the size of a piece."""
    if file.kind == "parquet":
        for number in range(row_groups(file.path)):
            yield Piece(file, number, number + 1)
        return
    for begin in range(file.begin, file.size_bytes, piece_bytes):
        yield Piece(file, begin, min(begin + piece_bytes, file.size_bytes))


def _opened(path: Path) -> InputFile:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(len(_BOM) + 1)
            if head == b"PAR1":
                return InputFile(path, "parquet", 0, size)
            begin = len(_BOM) if head.startswith(_BOM) else 0
            file.seek(begin)
            begin, first = _first_letter(file.read, begin)
            if first == b"[":
                begin, _ = _first_letter(file.read, begin + 1)
                return InputFile(path, "list", begin, size)
    except OSError as error:
        raise InputError(f"cannot read the data: {error}") from error
    if first == b"{":
        return InputFile(path, "lines", begin, size)
    if not first:
        raise InputError(f"no rows in the data: {path}")
    raise InputError(f"expected a JSON list, JSON lines or Parquet, found something else: {path}")


def _first_letter(read: object, begin: int) -> tuple[int, bytes]:
    assert callable(read)  # noqa: S101 - a file's own method
    while (letter := read(1)) and letter in _WHITE:
        begin += 1
    return begin, letter
