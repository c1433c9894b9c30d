"""A model answers a file of questions: `python -m templates.after.infer MODEL INPUT.jsonl --output OUTPUT.jsonl`.

Killed at any time, the same call goes on where it was (questions.py). Batches are made of all questions, the longest
first, whether they are answered or not: so an interrupted call gives the very answers of one that was not, also those
drawn by chance.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.after.questions import Answers, Question, read_questions
from templates.training.errors import DataError
from templates.training.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: list[str]) -> int:
    """Answer; exit code 1 with `error: …` when the files or the model will not do."""
    asked = _parser().parse_args(argv)
    # Bars that are redrawn fill a log.
    os.environ.setdefault("TQDM_DISABLE", "1")
    run_dir = run_folder()
    metrics = Metrics(run_dir and run_dir / "metrics.jsonl")
    metrics.phase("answering")
    try:
        answer_all(asked, metrics, run_dir and run_dir / "markers" / f"{asked.output.name}.made.json")
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log, or the terminal
        return 1
    return 0


def run_folder() -> Path | None:
    """The run's folder on the machine; None at home."""
    told = os.environ.get("LLAMALIFT_RUN_DIR")
    return Path(told) if told else None


def answer_all(asked: argparse.Namespace, metrics: Metrics, record: Path | None) -> None:
    """Answer what is not answered yet; `record` is where that is remembered once all is.

    Raises:
        DataError: The questions cannot be read, or the model's folder is none.
        OSError: The disk refused.
    """
    questions = read_questions(asked.questions)
    if not (asked.model / "config.json").is_file():
        raise DataError(f"expected a model's folder with a config.json, found: {asked.model}")
    answers = Answers(asked.output, questions, _how(asked), record)
    if len(answers.done) < len(questions) and not answers.is_finished:
        _answer(asked, questions, answers, metrics)
    answers.finish()
    _say(f"{len(questions)} of {len(questions)} answered: {asked.output}")


def _answer(asked: argparse.Namespace, questions: Sequence[Question], answers: Answers, metrics: Metrics) -> None:
    from transformers import AutoTokenizer

    from templates.after.engines import Sampling, open_engine
    from templates.after.prompting import Prompter

    # All is in the folder: a hub that is away must not matter.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    tokenizer = AutoTokenizer.from_pretrained(asked.model)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    prompter = Prompter(asked.model, tokenizer)
    sampling = Sampling(asked.max_new_tokens, asked.sample, asked.temperature, asked.top_p, asked.top_k, asked.seed)
    engine = open_engine(
        asked.engine, asked.model, tokenizer, sampling, end_id=prompter.end_id, batch_size=asked.batch_size
    )
    prompts = {question.idx: prompter.ids(question.instruction, question.input) for question in questions}
    tokens = {idx: len(ids) for idx, ids in prompts.items()}
    longest = int(getattr(_config(asked.model), "max_position_embeddings", None) or 1 << 20)
    too_long = [question for question in questions if tokens[question.idx] >= longest]
    if too_long:
        metrics.note(f"{len(too_long)} questions are longer than the model's {longest:,} tokens: no answer to those")
        answers.add((question, "") for question in too_long)
    fitting = sorted((one for one in questions if tokens[one.idx] < longest), key=lambda one: -tokens[one.idx])
    for number, start in enumerate(range(0, len(fitting), engine.chunk)):
        batch = fitting[start : start + engine.chunk]
        if any(question.idx not in answers.done for question in batch):
            texts = engine.answer([prompts[question.idx] for question in batch], number)
            answers.add(zip(batch, texts, strict=True))
            metrics.event("answers", done=len(answers.done), total=len(questions))
            _say(f"{len(answers.done)} of {len(questions)} answered")


def _config(model: Path) -> Any:  # noqa: ANN401 - a class of a library that has no types
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(model)


def _how(asked: argparse.Namespace) -> dict[str, object]:
    """All that decides the answers, the model by what its folder says of itself."""
    names = ("MANIFEST.json", "config.json", "prompt_format.json", "model.safetensors.index.json")
    files = [asked.model / name for name in names]
    texts = [file.read_text(errors="replace") for file in files if file.is_file()]
    sampling = ("sample", "temperature", "top_p", "top_k", "seed") if asked.sample else ()
    how = {name: getattr(asked, name) for name in ("max_new_tokens", "batch_size", "engine", *sampling)}
    return {**how, "model": texts}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="The model's folder.")
    parser.add_argument("questions", type=Path, help="Rows of idx and Instruction, one JSON object a line.")
    parser.add_argument("--output", type=Path, required=True, help="The file of answers.")
    parser.add_argument("--max-new-tokens", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--top-k", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    return parser


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the log, or the terminal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
