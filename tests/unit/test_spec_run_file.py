"""What a right run file means: defaults, flags for the trainer, paths, and the same again from the journal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import runs.spec.load
from runs.errors import SpecError
from runs.spec.flags import known_flags, to_words, wrong_flag
from runs.spec.load import load_run_file, load_run_text
from runs.spec.run_file import RunFile
from runs.spec.sources import AnySource, BlobSource, GitSource, HubSource, LocalSource, WebSource, parse_source
from templates.training.flags import translate
from templates.training.hardware import Hardware
from templates.training.save_schedule import ShrinkSchedule

FOLDER = Path(runs.spec.load.__file__).parent
HUB = "model: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"


def spec(tmp_path: Path, text: str = "") -> RunFile:
    """A right run file with `text` added."""
    (tmp_path / "run.yaml").write_text(f"name: fine\n{HUB}{text}")
    return load_run_file(tmp_path / "run.yaml").spec


def test_the_default_cloud_costs_nothing(tmp_path: Path) -> None:
    """Money is spent only by a run file that says so."""
    assert spec(tmp_path).cloud == "rehearsal"


def test_a_spec_survives_its_own_json(tmp_path: Path) -> None:
    """What is written as JSON reads back equal."""
    made = spec(tmp_path, "train: {weight_decay: 0.1}\nsync: [{from: hf://a/b, to: c}]\n")
    assert RunFile.model_validate_json(made.model_dump_json()) == made


def test_the_journals_text_needs_no_local_files(tmp_path: Path) -> None:
    """A run goes on although its data has been moved since."""
    text = "name: fine\nmodel: {from: ./gone}\ndata: {from: ./gone.json}\n"
    loaded = load_run_text(text, tmp_path / "run.yaml")
    assert loaded.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert loaded.text == text
    with pytest.raises(SpecError):
        load_run_text("name: fine\n", tmp_path / "run.yaml")


def test_paths_are_relative_to_the_run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder does not matter, and ~ is the home."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "run.yaml").write_text(f"name: fine\n{HUB}")
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = load_run_file(tmp_path / "sub" / "run.yaml")
    assert loaded.resolve("./x") == tmp_path / "sub" / "x"
    assert loaded.resolve("../x") == tmp_path / "x"
    assert loaded.resolve("~/x") == tmp_path / "x"


@pytest.mark.parametrize(
    ("text", "schedule", "keep"),
    [
        ("", ShrinkSchedule(800), 3),
        ("train: {save_steps: 100, save_total_limit: 5}\n", ShrinkSchedule(100), 5),
        (
            "checkpoints: {shrink: {from: 8, to: 2, factor: 4}, keep: 1, max_share: 0.1}\n",
            ShrinkSchedule(8, 2, 4, 0.1),
            1,
        ),
        ("train: {save_steps: 8}\ncheckpoints: {shrink: {from: 8}}\n", ShrinkSchedule(8), 3),
    ],
)
def test_the_recipes_names_and_our_sections_mean_the_same(
    tmp_path: Path, text: str, schedule: ShrinkSchedule, keep: int
) -> None:
    """save_steps and save_total_limit may be said either way."""
    made = spec(tmp_path, text)
    assert made.save_schedule() == schedule
    assert made.kept_checkpoints == keep


@pytest.mark.parametrize(
    ("text", "precision", "bf16", "fp16"),
    [
        ("", "bf16", "True", "False"),
        ("train: {fp16: true}\n", "fp16", "False", "True"),
        ("train: {bf16: false}\n", "fp32", "False", "False"),
        ("train: {bf16: true, fp16: false}\n", "bf16", "True", "False"),
    ],
)
def test_there_is_one_precision(tmp_path: Path, text: str, precision: str, bf16: str, fp16: str) -> None:
    """fp16: true is enough to leave bf16."""
    train = spec(tmp_path, text).train
    assert train.precision == precision
    words = train.argv()
    assert words[words.index("--bf16") + 1] == bf16
    assert words[words.index("--fp16") + 1] == fp16


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ()), (True, ("--x", "True")), (2e-5, ("--x", "2e-05")), (3, ("--x", "3")), ("cosine", ("--x", "cosine")),
        (["wandb", "tensorboard"], ("--x", "wandb", "tensorboard")), ({"a": 1}, ("--x", '{"a": 1}')),
    ],
)  # fmt: skip
def test_a_flag_is_written_as_the_parser_reads_it(value: object, words: tuple[str, ...]) -> None:
    """Lists become words, mappings JSON, and null is not given."""
    assert to_words("x", value) == words


def test_what_is_not_the_trainers_stays_out_of_its_command_line(tmp_path: Path) -> None:
    """DeepSpeed's config travels as a file, and restarting is the agent's."""
    words = spec(tmp_path, "train: {weight_decay: 0.1}\n").train.argv()
    assert "--deepspeed" not in words
    assert "--max_restarts" not in words
    assert words[words.index("--weight_decay") + 1] == "0.1"


def test_every_accepted_flag_is_known_to_the_trainer() -> None:
    """A flag that Transformers has not is accepted only if the trainer translates it away, with a note."""
    cpu = Hardware(gpus=0, bf16=True, fp16=False, tf32=False, reporters=frozenset(), wandb_key=False)
    listed = json.loads((FOLDER / "training_arguments.json").read_text())["arguments"]
    older = [name for name in known_flags() if name not in listed]
    samples = {"bool": "True", "int": "1", "float": "0.1", "text": "no"}
    for name in older:
        assert wrong_flag(name, None) is None
        made = translate([f"--{name}", samples[known_flags()[name][0]]], cpu)
        assert f"--{name}" not in made.argv, name


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("./x", LocalSource("./x")),
        ("C:/x", LocalSource("C:/x")),
        ("hf://a/b", HubSource("a/b", is_dataset=False, revision=None, file=None)),
        ("hf://a/b@v1.0", HubSource("a/b", is_dataset=False, revision="v1.0", file=None)),
        ("hf://datasets/a/b@main/c/d.json", HubSource("a/b", is_dataset=True, revision="main", file="c/d.json")),
        ("https://h/a/b%20c.json?x=1#y", WebSource("https://h/a/b%20c.json?x=1", "b c.json")),
        ("http://127.0.0.1:80/x.tar.gz", WebSource("http://127.0.0.1:80/x.tar.gz", "x.tar.gz")),
        ("az://acc/con", BlobSource("acc", "con", "")),
        ("az://acc/con/a b/c.json", BlobSource("acc", "con", "a b/c.json")),
        ("git+https://h/a/b", GitSource("https://h/a/b", None, None)),
        ("git+https://h/a/b.git@refs/pr/1#c/d.json", GitSource("https://h/a/b.git", "refs/pr/1", "c/d.json")),
    ],
)
def test_sources_say_where_they_are(text: str, source: AnySource) -> None:
    """Paths and Hub addresses are told apart by their scheme."""
    assert parse_source(text) == source


def test_the_deepspeed_config_is_ours_or_the_users(tmp_path: Path) -> None:
    """A name takes the shipped file, a path the user's, byte for byte."""
    (tmp_path / "mine.json").write_text('{"zero_optimization": {"stage": 2}}')
    (tmp_path / "run.yaml").write_text(f"name: fine\n{HUB}train: {{deepspeed: ./mine.json}}\n")
    assert b'"stage": 2' in load_run_file(tmp_path / "run.yaml").deepspeed_config()
    (tmp_path / "run.yaml").write_text(f"name: fine\n{HUB}")
    loaded = load_run_file(tmp_path / "run.yaml")
    assert json.loads(loaded.deepspeed_config())["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize("name", ["docker", "sudo", "ubuntu", "www-data"])
def test_users_and_groups_that_the_image_has_are_refused(tmp_path: Path, name: str) -> None:
    """`useradd` would fail on the rented machine, and nobody could ever sign in to it."""
    with pytest.raises(SpecError, match="1 problem"):
        spec(tmp_path, f"machine: {{admin_username: {name}}}\n")
