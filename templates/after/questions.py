"""Questions and answers in the recipe's format, and the file of answers that grows while a model answers.

A row of questions has `idx` and `Instruction` (and `Input`, if there is one); a row of answers has `Response` as well.
Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from templates.training.checkpoints import write_durably
from templates.training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Question:
    """One row; `idx` is a number or a text, as the file has it."""

    idx: int | str
    instruction: str
    input: str = ""


def read_questions(path: Path) -> list[Question]:
    """Read a file of questions.

    Raises:
        DataError: It cannot be read, a row lacks `idx` or `Instruction`, or two have the same `idx`; rows from 1.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the questions: {error}") from error
    found = [_question(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise DataError(f"no questions in the file: {path}")
    seen: set[str] = set()
    for question in found:
        if repr(question.idx) in seen:
            raise DataError(f"two questions have the same idx in {path}: {question.idx}")
        seen.add(repr(question.idx))
    return found


def _question(line: str, place: str) -> Question:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {place}: {error}") from error
    idx = row.get("idx") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(idx, int | str) or isinstance(idx, bool):
        raise DataError(f"a question must be an object with idx and Instruction: {place}")
    instruction, context = row.get("Instruction"), row.get("Input") or ""
    if not isinstance(instruction, str) or not isinstance(context, str) or not instruction.strip():
        raise DataError(f"Instruction must be a text that is not empty: {place}")
    return Question(idx, instruction, context)


class Answers:
    """The file of answers. It appears whole, in the order of `idx`; until then what is there is in `NAME.part`.

    Each answer is on the disk before the next ones are waited for: killed at any time, a later call goes on with what
    was not answered yet, and no answer is lost or there twice.
    """

    def __init__(
        self, output: Path, questions: Sequence[Question], how: Mapping[str, object], record: Path | None = None
    ) -> None:
        """Open it.

        Args:
            output: The file.
            questions: What is asked.
            how: All that decides the answers: a part that was made otherwise is begun anew.
            record: Where to remember that it is finished, for a call after that; None does not.

        Raises:
            DataError: Another process writes it.
        """
        self._output, self._questions, self._record = output, questions, record
        self._part = output.with_name(f"{output.name}.part")
        digest = hashlib.sha256(json.dumps([how, [[q.idx, q.instruction, q.input] for q in questions]]).encode())
        self._header = {"made_by": digest.hexdigest()}
        output.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("a+", encoding="utf-8")
        self._lock(self._file)
        self.done = self._read()

    def _lock(self, file: IO[str]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"another process writes these answers: {self._output}") from error

    def _read(self) -> dict[int | str, str]:
        """What is answered; the torn line of a call that was killed, and a part made otherwise, are cut off."""
        self._file.seek(0)
        *lines, torn = self._file.read().split("\n")
        whole = [json.loads(line) for line in lines]
        if not whole or whole[0] != self._header:
            self._file.truncate(0)
            self._append([self._header])
            return {}
        if torn:
            self._file.truncate(sum(len(line.encode()) + 1 for line in lines))
        return {row["idx"]: row["Response"] for row in whole[1:]}

    @property
    def is_finished(self) -> bool:
        """Whether the file is whole under its name already, as far as the record tells."""
        if self._record is None or not self._output.is_file() or not self._record.is_file():
            return False
        return bool(json.loads(self._record.read_text()) == self._finished())

    def _finished(self) -> dict[str, str]:
        return {**self._header, "sha256": hashlib.sha256(self._output.read_bytes()).hexdigest()}

    def add(self, answers: Iterable[tuple[Question, str]]) -> None:
        """Add answers, durable when this returns; what is answered already stays as it is."""
        fresh = [(question, text) for question, text in answers if question.idx not in self.done]
        self._append([row_of(question, text) for question, text in fresh])
        self.done |= {question.idx: text for question, text in fresh}

    def _append(self, rows: Sequence[Mapping[str, object]]) -> None:
        self._file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Give the file its name, all questions being answered."""
        if not self.is_finished:
            self._write()
        self._part.unlink()
        self._file.close()

    def _write(self) -> None:
        ordered = sorted(self._questions, key=_by_idx) if _are_numbers(self._questions) else self._questions
        rows = (json.dumps(row_of(one, self.done[one.idx]), ensure_ascii=False) for one in ordered)
        write_durably(self._output, "".join(f"{row}\n" for row in rows))
        if self._record is not None:
            self._record.parent.mkdir(exist_ok=True)
            write_durably(self._record, json.dumps(self._finished()))


def row_of(question: Question, response: str) -> dict[str, object]:
    """One row of the file of answers."""
    more = {"Input": question.input} if question.input else {}
    return {"idx": question.idx, "Instruction": question.instruction, **more, "Response": response}


def _are_numbers(questions: Sequence[Question]) -> bool:
    return all(isinstance(question.idx, int) for question in questions)


def _by_idx(question: Question) -> int:
    return int(question.idx)
