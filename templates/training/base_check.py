"""The final model beside the base that it was made from: as many parameters, in the same shapes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Shapes = dict[str, tuple[int, ...]]


def against_base(folder: Path, facts: Mapping[str, Any]) -> tuple[list[str], str]:
    """Compare the tensors on disk with what the trainer counted and with the base model's own files.

    Only headers are read. A base in another format, or not on this machine any more, is compared by its number of
    parameters alone. Tensors that the base has under other names are counted, not compared.

    Args:
        folder: The final model.
        facts: What its manifest says of the model: `base`, `base_parameters`, `added_tokens`, `parameters`.

    Returns:
        What is wrong, and what was compared.
    """
    base = shapes_in(Path(facts["base"]))
    shapes = _once(shapes_in(folder), base, folder)
    count, expected, before = _count(shapes), facts["parameters"], facts["base_parameters"]
    problems = [] if count == expected else [f"{count:,} parameters instead of {expected:,}"]
    problems += _misshaped(shapes, base, facts["added_tokens"])
    grown = f": {facts['added_tokens']} token added to the vocabulary" if expected != before else ""
    return problems, f"{count:,} parameters, the base has {before:,}{grown}"


def _once(shapes: Shapes, base: Shapes, folder: Path) -> Shapes:
    """Leave out the copy of a matrix that serves twice: gathered under DeepSpeed, such a model is written with both."""
    if not base or not json.loads((folder / "config.json").read_text()).get("tie_word_embeddings"):
        return shapes
    return {name: shape for name, shape in shapes.items() if name in base or len(shape) != 2}


def _misshaped(shapes: Shapes, base: Shapes, added_tokens: int) -> Iterator[str]:
    for name, shape in shapes.items():
        original = base.get(name, shape)
        if shape != original and not _has_grown(shape, original, added_tokens):
            yield f"{name} has shape {shape}, and in the base {original}"


def _has_grown(shape: tuple[int, ...], original: tuple[int, ...], rows: int) -> bool:
    """Whether it is an embedding that got the new tokens' rows."""
    return rows > 0 and len(shape) == 2 and shape == (original[0] + rows, *original[1:])


def _count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def shapes_in(folder: Path) -> Shapes:
    """Give the shape of every tensor in a model folder's safetensors files; only headers are read."""
    from safetensors import safe_open

    found: Shapes = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return found
