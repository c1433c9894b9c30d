"""GPU memory: DeepSpeed's own figures for the states, counted activations, and a verdict for each way of sharding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runs.plan.memory import COMPARED, Sharding, activation_bytes, state_bytes
from runs.plan.memory_fit import Fit, MemoryFit, MemoryUse, memory_fit
from runs.plan.model_shape import ModelShape, known_shapes, model_shape
from runs.plan.model_size import known_models
from runs.plan.sizes import find_size
from runs.spec.load import load_run_file
from runs.spec.train import Train

if TYPE_CHECKING:
    from pathlib import Path

LLAMA_7B, EMBEDDING = 6_738_415_616, 32_000 * 4096
SHAPE = known_shapes()["huggyllama/llama-7b"]
NEEDED = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size", "num_attention_heads")
OFFLOAD = Sharding(3, offloads_optimizer=True)
OFFLOAD_ALL = Sharding(3, offloads_optimizer=True, offloads_parameters=True)


def fit(model: str = "huggyllama/llama-7b", size: str = "Standard_NC96ads_A100_v4", **train: object) -> MemoryFit:
    """A known model under ZeRO-3 on a machine."""
    machine = find_size(size)
    assert machine is not None
    assert machine.gpu is not None
    flags = Train.model_validate(train)
    return memory_fit(
        MemoryUse(known_models()[model], known_shapes()[model], flags, machine.gpu, machine.gpus), Sharding(3)
    )


@pytest.mark.parametrize(
    ("gpus", "sharding", "expected"),
    [
        (1, Sharding(2), 134_768_312_320),
        (4, Sharding(2), 43_799_701_504),
        (8, Sharding(2), 28_638_266_368),
        (4, Sharding(2, offloads_optimizer=True), 13_476_831_232),
        (1, Sharding(3), 121_815_769_088),
        (4, Sharding(3), 30_847_158_272),
        (8, Sharding(3), 15_685_723_136),
        (4, OFFLOAD, 3_893_495_808),
        (8, OFFLOAD, 2_208_891_904),
        (4, OFFLOAD_ALL, 524_288_000),
    ],
)
def test_states_take_what_deepspeed_says(gpus: int, sharding: Sharding, expected: int) -> None:
    """What DeepSpeed 0.19.8's own estimators answered for LLaMA-7B."""
    assert state_bytes(LLAMA_7B, gpus, sharding, EMBEDDING) == expected


def test_a_lower_stage_never_takes_less() -> None:
    """From no sharding to all of it."""
    taken = [state_bytes(LLAMA_7B, 4, Sharding(stage), EMBEDDING) for stage in (0, 1, 2, 3)]
    assert taken == sorted(taken, reverse=True)


@pytest.mark.parametrize("name", known_shapes())
def test_every_known_shape_has_the_published_parameters(name: str) -> None:
    """No figure of the table is a typing mistake: together they make exactly the number that the Hub counts."""
    assert known_shapes()[name].parameters == known_models()[name]


def test_every_known_model_has_a_shape() -> None:
    """Who is told how large a model is, is told whether it fits."""
    assert known_shapes().keys() == known_models().keys()


def test_recomputation_keeps_the_inputs_only() -> None:
    """LLaMA-7B, 8 rows of 2,048 tokens: 11.6 GB with recomputation, 87 GB without."""
    kept, whole = (
        activation_bytes(SHAPE, Train.model_validate({"gradient_checkpointing": on}), 2048) / 1e9
        for on in (True, False)
    )
    assert kept == pytest.approx(11.6, abs=0.05)
    assert whole == pytest.approx(87.9, abs=0.5)


def test_activations_grow_with_rows_and_tokens_alike() -> None:
    """Twice the rows are as much as twice the tokens."""
    once = activation_bytes(SHAPE, Train.model_validate({"per_device_train_batch_size": 4}), 2048)
    rows = activation_bytes(SHAPE, Train.model_validate({"per_device_train_batch_size": 8}), 2048)
    tokens = activation_bytes(SHAPE, Train.model_validate({"per_device_train_batch_size": 4}), 4096)
    assert rows == tokens == 2 * once


def test_the_published_recipe_fits_under_every_stage() -> None:
    """45 of 80 GB under ZeRO-3, and rows of up to 6,912 tokens."""
    found = fit()
    assert (round(found.taken_bytes / 1e9), found.fit) == (45, Fit.FITS)
    own = next(stage for stage in found.stages if stage.words == "ZeRO-3")
    assert (own.taken_bytes, own.longest_tokens) == (found.taken_bytes, 6912)
    assert [stage.words for stage in found.stages] == [one.words for one in COMPARED]


def test_the_longest_rows_fit_and_longer_ones_do_not() -> None:
    """The limit that is told is one."""
    longest = next(stage.longest_tokens for stage in fit().stages if stage.words == "ZeRO-3")
    assert longest is not None
    assert fit(model_max_length=longest).fit is Fit.FITS
    assert fit(model_max_length=longest + 256).fit is not Fit.FITS


def test_a_large_vocabulary_counts() -> None:
    """LLaMA-3's 128 thousand words take four times LLaMA-1's memory for the output alone."""
    assert fit("meta-llama/meta-llama-3-8b").fit is Fit.TIGHT
    assert fit("meta-llama/meta-llama-3-8b", per_device_train_batch_size=4).fit is Fit.FITS


def test_what_cannot_fit_is_told() -> None:
    """65 billion parameters on four GPUs of 80 GB, and what would do instead."""
    found = fit("huggyllama/llama-65b", per_device_train_batch_size=1)
    assert found.fit is Fit.TOO_LARGE
    assert [stage.words for stage in found.stages if stage.fit is Fit.FITS] == [
        "ZeRO-3 + offload",
        "ZeRO-3 + offload all",
    ]


def test_an_unknown_shape_leaves_the_activations_unknown() -> None:
    """Then the states alone are judged, and no length of rows is promised."""
    machine = find_size("Standard_NC96ads_A100_v4")
    assert machine is not None
    assert machine.gpu is not None
    found = memory_fit(MemoryUse(LLAMA_7B, None, Train(), machine.gpu, 4), Sharding(3))
    assert found.activations_bytes is None
    assert {stage.longest_tokens for stage in found.stages} == {None}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            json.dumps(dict.fromkeys(NEEDED, 4)),
            ModelShape(4, 4, 4, 4, 4, 4),
        ),
        ("{}", None),
        ("[1", None),
        ("[]", None),
    ],
)
def test_a_local_models_shape_is_read_from_its_config(tmp_path: Path, config: str, expected: ModelShape | None) -> None:
    """Another family, or a broken file, is unknown and no error."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(config)
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / "run.yaml").write_text("name: a\nmodel: {from: ./tiny}\ndata: {from: ./rows.json}\n")
    assert model_shape(load_run_file(tmp_path / "run.yaml")) == expected
