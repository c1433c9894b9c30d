"""`llamalift infer`: a model answers a file of questions, on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def infer(
    model: Annotated[Path, typer.Argument(help="The model's folder.", show_default=False)],
    questions: Annotated[
        Path, typer.Argument(help="Questions: a .jsonl file of rows with idx and Instruction.", show_default=False)
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file of answers; beside the questions without it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of answers that is there.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 512,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions at once.")] = 8,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw the words by chance; else the likeliest ones.")
    ] = False,
    temperature: Annotated[float, typer.Option(help="With --sample: under 1 is bolder, over 1 wilder.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="With --sample: only the likeliest words of this share.")] = 0.9,
    top_k: Annotated[int, typer.Option(help="With --sample: only so many of the likeliest words.")] = 40,
    seed: Annotated[int, typer.Option(help="With --sample: seed of the chance.")] = 42,
    engine: Annotated[str, typer.Option(help="auto, vllm or transformers.")] = "auto",
    python: Annotated[
        Path | None, typer.Option("--python", help="A Python that has torch and transformers, instead of our own.")
    ] = None,
) -> None:
    """Have a model answer questions in the recipe's format. Stopped or killed, the same command goes on."""
    from cli.console import talk
    from runs.at_home import asked_as
    from runs.at_home import infer as answer
    from runs.errors import SpecError
    from runs.spec.after import Infer

    target = output or questions.with_name(f"{questions.stem}.answers.jsonl")
    part = target.with_name(f"{target.name}.part")
    if target.exists() and not part.exists() and not overwrite:
        raise SpecError(f"the answers are there already: {target}", hint="take another `-o`, or add `--overwrite`")
    asked = asked_as(
        Infer,
        {
            "max_new_tokens": max_new_tokens, "batch_size": batch_size, "sample": sample, "temperature": temperature,
            "top_p": top_p, "top_k": top_k, "seed": seed, "engine": engine,
        },
    )  # fmt: skip
    answer(model, questions, target, asked, python=python, say=lambda line: talk().print(line, markup=False))
    typer.echo(target)
