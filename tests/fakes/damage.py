"""Kinds of damage to the newest of two real checkpoints; the older one is left alone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import build_manifest, read_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Damage = tuple["Callable[[Path, Path], object]", str]


def own(path: Path) -> Path:
    """Make a file its own again: the copies under test share their bytes with the checkpoints of the real run."""
    part = path.with_name(f"{path.name}.own")
    shutil.copy(path, part)
    return part.replace(path)


def shard(folder: Path, rank: int = 1) -> Path:
    """Give a rank's optimizer shard."""
    (path,) = folder.glob(f"global_step*/*pp_rank_{rank}_*optim_states.pt")
    return path


def states(folder: Path) -> Path:
    """Give the model states."""
    return next(iter(sorted(folder.glob("global_step*/*model_states.pt"))))


def cut(path: Path, size: int) -> None:
    """Cut a file short."""
    with own(path).open("r+b") as file:
        file.truncate(size)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write over a part of a file."""
    with own(path).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, offset: int, length: int = 1) -> None:
    """Invert bits."""
    overwrite(path, offset, bytes(255 - byte for byte in path.read_bytes()[offset : offset + length]))


def seal(folder: Path, **changes: object) -> None:
    """Describe a folder anew, as a program would that does not know what belongs together."""
    facts: dict[str, Any] = {**read_manifest(folder), **changes}
    for name in ("files", "schema", "seal_sha256"):
        facts.pop(name, None)
    (folder / "MANIFEST.json").unlink()
    write_manifest(folder, build_manifest(folder, **facts))


def _replace(path: Path, text: str) -> None:
    own(path).write_text(text)


def _swap_shards(new: Path, _old: Path) -> None:
    first, second = shard(new, 0), shard(new, 1)
    other = first.rename(first.with_name("other"))
    second.rename(first)
    other.rename(second)


def _foreign_state(new: Path, _old: Path) -> None:
    state = json.loads((new / "trainer_state.json").read_text())
    _replace(new / "trainer_state.json", json.dumps({**state, "global_step": state["global_step"] - 1}))
    seal(new)


def _lost_shard_sealed(new: Path, _old: Path) -> None:
    shard(new).unlink()
    seal(new)


def _jit_checkpoint(new: Path, _old: Path) -> None:
    """What Transformers' own SIGTERM checkpoint looks like under DeepSpeed: a step further than it says."""
    (step,) = new.glob("global_step*")
    further = step.with_name(f"global_step{int(step.name.removeprefix('global_step')) + 1}")
    step.rename(further)
    _replace(new / "latest", further.name)
    seal(new)


def _renamed(new: Path, old: Path) -> None:
    shutil.rmtree(new)
    shutil.copytree(old, new)


def _link_to(new: Path, old: Path) -> None:
    shutil.rmtree(new)
    new.symlink_to(old)


def _file(new: Path, _old: Path) -> None:
    shutil.rmtree(new)
    new.write_text("a file")


def _linked_file(new: Path, old: Path) -> None:
    shard(new).unlink()
    (new / shard(old).relative_to(old).parent.with_name(f"global_step{new.name.rpartition('-')[2]}")).mkdir(
        exist_ok=True
    )
    (new / f"global_step{new.name.rpartition('-')[2]}" / shard(old).name).symlink_to(shard(old))


# Name: what is done to the newest, and a pattern of the reason that the start gives.
DAMAGES: dict[str, Damage] = {
    # Every row of what was tried on plain Transformers and DeepSpeed; "silent" are those that load there, exit code 0.
    "trainer_state.json missing": (lambda new, _: (new / "trainer_state.json").unlink(), "missing: trainer_state"),
    "trainer_state.json truncated": (lambda new, _: cut(new / "trainer_state.json", 40), "wrong size: trainer_state"),
    "latest missing": (lambda new, _: (new / "latest").unlink(), "missing: latest"),
    "latest empty": (lambda new, _: cut(new / "latest", 0), "wrong size: latest"),
    "no global_step folder": (
        lambda new, _: shutil.rmtree(shard(new).parent),
        r"missing: global_step\d+/.*\(and \d more\)",
    ),
    "optimizer shard missing": (lambda new, _: shard(new).unlink(), "missing: global_step.*optim_states"),
    "optimizer shard truncated": (lambda new, _: cut(shard(new), 9999), "wrong size: .*optim_states"),
    "optimizer shard empty": (lambda new, _: cut(shard(new), 0), "wrong size: .*optim_states"),
    "model states truncated": (lambda new, _: cut(states(new), 9999), "wrong size: .*model_states"),
    "optimizer shard, 30 % zeroed": (
        lambda new, _: overwrite(shard(new), 9999, bytes(shard(new).stat().st_size * 3 // 10)),
        "wrong content: .*optim_states",
    ),
    "rng state of a rank missing (silent)": (lambda new, _: (new / "rng_state_1.pth").unlink(), "missing: rng_state_1"),
    "model.safetensors missing (silent)": (
        lambda new, _: (new / "model.safetensors").unlink(),
        "missing: model.safetensors",
    ),
    "model.safetensors truncated (silent)": (
        lambda new, _: cut(new / "model.safetensors", 1000),
        "wrong size: model.safetensors",
    ),
    "optimizer shard, 4 KB flipped (silent)": (
        lambda new, _: flip(shard(new), 100_000, 4096),
        "wrong content: .*optim_states",
    ),
    "optimizer shard of an earlier step (silent)": (
        lambda new, old: shutil.copy(shard(old), own(shard(new))),
        "wrong content: .*optim_states",
    ),
    "model states of an earlier step (silent)": (
        lambda new, old: shutil.copy(states(old), own(states(new))),
        "wrong content: .*model_states",
    ),
    # What a manifest itself can suffer.
    "no manifest: cut short, or plain Transformers": (
        lambda new, _: (new / "MANIFEST.json").unlink(),
        "it was cut short, or another program wrote it: no MANIFEST.json",
    ),
    "manifest truncated": (lambda new, _: cut(new / "MANIFEST.json", 100), "unreadable manifest"),
    "manifest, one bit": (lambda new, _: flip(new / "MANIFEST.json", 300), "manifest"),
    "manifest of another step": (
        lambda new, old: shutil.copy(old / "MANIFEST.json", own(new / "MANIFEST.json")),
        "global_step",
    ),
    "a renamed copy of an older one": (_renamed, "its manifest names another step: 15"),
    # More and less than was written.
    "optimizer shard, one bit": (lambda new, _: flip(shard(new), 5000), "wrong content: .*optim_states"),
    "the shards of two ranks swapped": (_swap_shards, "wrong (content|size): .*optim_states"),
    "a file too many": (lambda new, _: (new / "more").touch(), "not in the manifest: more"),
    "a link in place of a file": (_linked_file, "neither a file nor a folder: .*optim_states"),
    # Sealed, and still not one checkpoint.
    "sealed with a shard too few": (_lost_shard_sealed, "the optimizer shards of 2 processes, and holds: 1"),
    "sealed with the state of another step": (_foreign_state, "trainer_state.json names another step: 15"),
    "sealed a step further than it says": (_jit_checkpoint, "latest names another step: global_step17"),
    # No folder at all.
    "a link to an older one": (_link_to, "it is a link: .*checkpoint-15"),
    "a file of that name": (_file, "it is not a folder"),
    "a name that no run gives": (
        lambda new, _: new.rename(new.with_name("checkpoint-016")),
        "no run gives this name: checkpoint-016",
    ),
    # Whole, but somebody else's.
    "another run's": (
        lambda new, _: seal(new, run={**read_manifest(new)["run"], "data": "other"}),
        "it is another run's: the data",
    ),
}
