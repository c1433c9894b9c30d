"""The transfer program on the machine (`templates.transfer.bundle`): one process for each line, asked in turn."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

from remote.command import Command, Script
from remote.errors import CommandFailedError, CommandTimeoutError, RemoteError, TransferError
from templates.transfer.bundle import CHUNK_BYTES, EXIT_CUT_SHORT, EXIT_DAMAGED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import WriteableBuffer

    from remote.lines import Line
    from templates.transfer.bundle import Piece


_CELLS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What the machine has at the target.

    Attributes:
        free_bytes: Free bytes on the target's filesystem.
        sizes: By path the size in place, of those files that are there.
        staged: By path, of files of which anything was staged, the bytes of each piece, None where none ever were.
    """

    free_bytes: int
    sizes: Mapping[str, int]
    staged: Mapping[str, Sequence[int | None]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a transfer to the machine goes.

    Attributes:
        root: Absolute folder on the machine.
        stage: Folder on the machine for what is not complete.
        token: This transfer's own word: the machine takes nothing from one that another has followed.
    """

    root: str
    stage: str
    token: str

    def request(self, verb: str, **fields: object) -> bytes:
        """One line for the program."""
        return _line(do=verb, root=self.root, stage=self.stage, token=self.token, **fields)


class FarEnd:
    """The program behind one line. Errors of the machine come as `TransferError`, those of the line as they are."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.output = io.BufferedReader(_Output(line), CHUNK_BYTES)
        self._batch = bytearray()

    def send(self, data: bytes | memoryview) -> None:
        """Write `data`, small portions together."""
        if len(data) < CHUNK_BYTES // 4:
            self._batch += data
            if len(self._batch) < CHUNK_BYTES:
                return
            data = b""
        self.flush()
        if data:
            self._write(data)

    def flush(self) -> None:
        """Write what has been collected."""
        if self._batch:
            batch, self._batch = bytes(self._batch), bytearray()
            self._write(batch)

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """The next answer; whoever asks has flushed."""
        text = self.output.readline()
        if not text.endswith(b"\n"):
            self.end()
            raise _not_json()
        try:
            return json.loads(text)
        except ValueError as error:
            raise _not_json() from error

    def hello(self) -> None:
        """Wait until the program is there."""
        self.send(_line(do="hello"))
        self.flush()
        self.answer()

    def claim(self, target: Target, sizes: Sequence[tuple[str, int]]) -> Seen:
        """Make the stage ours; what is there."""
        self.send(target.request("claim", files=sizes))
        self.flush()
        answer = self.answer()
        found = answer["found"]
        return Seen(
            int(answer["free_bytes"]),
            {path: size for path, (size, _) in found.items() if size is not None},
            {path: staged for path, (_, staged) in found.items() if staged},
        )

    def digests(self, root: str, pieces: Sequence[tuple[str, int, int]]) -> list[str | None]:
        """SHA-256 in hex of path, start and length below `root`; None where a file is shorter or missing."""
        if not pieces:
            return []
        self.send(_line(do="digests", root=root, pieces=pieces))
        self.flush()
        return [str(digest) if digest else None for digest in self.answer()]

    def ask_for(self, root: str, pieces: Sequence[Piece]) -> None:
        """Ask for bytes; they come on `output`."""
        self.send(_line(do="give", root=root, pieces=pieces))
        self.flush()

    def copy(self, target: Target, cells: Sequence[tuple[Piece, str]]) -> None:
        """Let the machine stage cells, with their SHA-256, from the files that are in place."""
        # Answers come now and then, so that a long silence still means trouble.
        for start in range(0, len(cells), _CELLS_AT_ONCE):
            self.send(target.request("copy", cells=cells[start : start + _CELLS_AT_ONCE]))
            self.flush()
            self.answer()

    def place(
        self,
        target: Target,
        files: Sequence[tuple[str, int, int]],
        folders: Sequence[str] = (),
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Give the staged files their names; each has a path, a size and permission bits."""
        self.send(target.request("place", files=files, folders=folders, links=links))
        self.flush()
        self.answer()

    def end(self) -> None:
        """Let the program end.

        Raises:
            TransferError: It had ended, and not well.
        """
        try:
            self.line.end()
        except CommandFailedError as error:
            raise refusal(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def _write(self, data: bytes | memoryview) -> None:
        try:
            self.line.write(data)
        except CommandFailedError as error:
            raise refusal(error) from error


class _Output(io.RawIOBase):
    """A line's output as a stream that `io.BufferedReader` can wrap."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._line.read(len(view))
        view[: len(data)] = data
        return len(data)


@cache
def program() -> Command:
    """What a line runs; `-X utf8` as a bare machine's locale may be ASCII, `-I -S` as it needs no packages."""
    source = files("templates.transfer").joinpath("bundle.py").read_text(encoding="utf-8")
    return Command.of("python3", "-I", "-S", "-X", "utf8", "-c", Script("bundle.py", source))


def refusal(error: CommandFailedError) -> RemoteError:
    """What a failed transfer command means."""
    if isinstance(error, CommandTimeoutError):
        return error
    said = error.stderr.strip().rpartition("\n")[2]
    if error.exit_code == EXIT_DAMAGED:
        return TransferError(f"bytes changed on their way or on the disk: {said}", hint="run it again")
    if error.exit_code == EXIT_CUT_SHORT:
        return TransferError(f"the machine did not get all bytes: {said}", hint="run it again; it continues")
    return TransferError(f"the machine cannot take or give the files: {said or error.fact}")


def _line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _not_json() -> TransferError:
    return TransferError("the machine's transfer program did not answer in JSON", hint="is its python3 intact?")
