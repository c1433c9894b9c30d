"""Rows of JSON files, piece by piece, each with the very text that it has in the file.

A piece of JSON lines begins after a line's end. Where a row of a JSON list begins cannot be told from the middle of the
file: a piece begins at a guess, and whoever puts the pieces together checks that it was the right one: the row where
the piece before has stopped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from templates.curation.errors import InputError

if TYPE_CHECKING:
    from templates.curation.inputs import Piece

_DECODER = json.JSONDecoder()
_WHITE = re.compile(r"[ \t\r\n]*")
_LINE_END = re.compile(r"[\r\n][ \t\r\n]*")
# Between two rows of a list; also found inside rows, and in their texts.
_BETWEEN_ROWS = re.compile(r'\}[ \t\r\n]*,[ \t\r\n]*(?=\{[ \t\r\n]*["}])')
# So many turns of a conversation may come before the first row of a piece, until nobody guesses any more.
_MOST_GUESSES = 300
# A number or an escape that is cut off is complained of so near to the end.
_CUT_CHARACTERS = 16
_LEAST_READ_BYTES = 1 << 16


@dataclass(slots=True)
class JsonRows:
    """The rows of a piece.

    Attributes:
        begin: Offset in bytes of the first row; None when none was found.
        end: Offset of the first row after these, or the size of the file.
        lines: Each row's own text, on one line.
        values: Each row's value.
        error: Why reading stopped after these rows; empty when it did not.
    """

    begin: int | None
    end: int
    lines: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)
    error: str = ""


def read_lines(piece: Piece) -> JsonRows:
    """Read the lines that begin within a piece."""
    with piece.file.path.open("rb") as file:
        begin = piece.begin
        if begin > piece.file.begin:
            file.seek(begin - 1)
            begin += len(file.readline()) - 1
        else:
            file.seek(begin)
        data = file.read(piece.end - begin) if begin < piece.end else b""
        if data and not data.endswith(b"\n"):
            data += file.readline()
    rows = JsonRows(begin, begin + len(data))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        rows.error = f"not UTF-8, at byte {begin + error.start:,}"
        return rows
    for line in text.split("\n"):
        stripped = line.strip(" \t\r")
        if stripped and not _take_line(stripped, rows):
            break
    return rows


def _take_line(line: str, rows: JsonRows) -> bool:
    try:
        value, end = _DECODER.raw_decode(line)
    except (ValueError, RecursionError) as error:
        rows.error = f"not JSON: {_words(error)}"
        return False
    if end != len(line):
        rows.error = f"not JSON: more after the row, at character: {end + 1}"
        return False
    rows.lines.append(_on_one_line(line))
    rows.values.append(value)
    return True


def read_list(piece: Piece, begin: int | None = None) -> JsonRows:
    """Read the rows of a list that begin within a piece.

    Args:
        piece: The piece.
        begin: Offset of the first of them; None guesses, and then an error only means that the guess was wrong.
    """
    if begin is None and piece.begin == piece.file.begin:
        begin = piece.begin
    with piece.file.path.open("rb") as file:
        try:
            text = _Text(file, piece.begin if begin is None else begin, piece.end)
            return text.rows() if begin is not None else _guessed(text)
        except UnicodeDecodeError as error:
            return JsonRows(begin, piece.end, error=f"not UTF-8: {error.reason}")


def _guessed(text: _Text) -> JsonRows:
    for between in islice(_BETWEEN_ROWS.finditer(text.text, 0, text.own), _MOST_GUESSES):
        rows = text.rows(between.end())
        if not rows.error:
            return rows
    return JsonRows(None, text.begin)


class _Text:
    """A piece's text, which grows beyond the piece's end as far as its last row does."""

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        self._file = file
        file.seek(begin)
        data = file.read(end - begin) + self._rest_of_letter()
        self.begin = begin + _broken_start(data)
        self.text = data[self.begin - begin :].decode()
        self.own = len(self.text)
        self._read_to = begin + len(data)

    def rows(self, position: int = 0) -> JsonRows:
        """Read from a row's beginning at a position in the text."""
        rows = JsonRows(self._offset(position), self._read_to)
        try:
            self._take(rows, position)
        except InputError as error:
            rows.error = str(error)
        return rows

    def _take(self, rows: JsonRows, position: int) -> None:
        position = self._skip_white(position)
        if self.text[position : position + 1] == "]" and not rows.values:
            self._end(position, rows)
            return
        while True:
            value, end = self._decode(position)
            rows.lines.append(_on_one_line(self.text[position:end]))
            rows.values.append(value)
            position = self._skip_white(end)
            letter = self.text[position : position + 1]
            if letter == "]":
                self._end(position, rows)
                return
            if letter != ",":
                raise InputError("not JSON: the list is cut off" if not letter else "not JSON: expected , or ]")
            position = self._skip_white(position + 1)
            if position >= self.own:
                rows.end = self._offset(position)
                return

    def _decode(self, position: int) -> tuple[object, int]:
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, position)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - _CUT_CHARACTERS
                if not cut or not self._grow(position):
                    raise InputError(f"not JSON: {_words(error)}") from error
            except (ValueError, RecursionError) as error:
                raise InputError(f"not JSON: {_words(error)}") from error
            else:
                # A number at the very end may go on.
                if end < len(self.text) or not self._grow(position):
                    return value, end

    def _skip_white(self, position: int) -> int:
        while True:
            match = _WHITE.match(self.text, position)
            position = match.end() if match else position
            if position < len(self.text) or not self._grow(position):
                return position

    def _grow(self, position: int) -> bool:
        """Read as much again as the row has so far; False at the end of the file."""
        more = self._file.read(max(_LEAST_READ_BYTES, len(self.text) - position)) + self._rest_of_letter()
        self._read_to += len(more)
        self.text += more.decode()
        return bool(more)

    def _rest_of_letter(self) -> bytes:
        """The bytes with which a letter goes on that was cut in the middle."""
        rest = b""
        while (byte := self._file.read(1)) and byte[0] & 0xC0 == 0x80:
            rest += byte
        if byte:
            self._file.seek(-1, 1)
        return rest

    def _end(self, position: int, rows: JsonRows) -> None:
        if self._skip_white(position + 1) < len(self.text):
            raise InputError("not JSON: more after the end of the list")
        rows.end = self._read_to

    def _offset(self, position: int) -> int:
        """Offset in the file of a position in the text."""
        return self.begin + len(self.text[:position].encode())


def _broken_start(data: bytes) -> int:
    return next((number for number, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)


def _on_one_line(text: str) -> str:
    """Line ends cannot be inside JSON's strings: taking them and the indentation after them away changes no value."""
    return _LINE_END.sub(" ", text) if "\n" in text or "\r" in text else text


def _words(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg.lower() if error.msg.startswith("Expecting") else error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
