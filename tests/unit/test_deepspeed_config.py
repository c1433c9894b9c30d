"""A DeepSpeed configuration is adapted to the machine, with a note for each change."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest

from templates.training.deepspeed_config import adapt, fit_buckets, zero_stage
from templates.training.hardware import Hardware, Precision

CPU = Hardware(gpus=0, bf16=True, fp16=False, tf32=False, reporters=frozenset(), wandb_key=False)
A100 = Hardware(gpus=4, bf16=True, fp16=True, tf32=True, reporters=frozenset(), wandb_key=True)
SHIPPED = ("zero1", "zero2", "zero3", "llama-x")


def shipped(name: str) -> dict[str, Any]:
    """Read a configuration that the project ships."""
    config = json.loads((files("templates") / "deepspeed" / f"{name}.json").read_text())
    assert isinstance(config, dict)
    return config


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("machine", "precision"), [(CPU, "bf16"), (A100, "bf16"), (A100, "fp16"), (CPU, "fp32")])
def test_the_flags_decide_the_precision(name: str, machine: Hardware, precision: Precision) -> None:
    """One precision is on, the one that the flags ended up with, and the given configuration is left alone."""
    given = shipped(name)
    before = copy.deepcopy(given)
    config = adapt(given, machine, precision).config
    assert given == before
    assert config["fp16"]["enabled"] == (precision == "fp16")
    assert config["bf16"]["enabled"] == (precision == "bf16")


@pytest.mark.parametrize("name", ["zero1", "zero2", "zero3"])
def test_our_own_need_no_notes(name: str) -> None:
    """The stages that we ship run anywhere as they are."""
    assert adapt(shipped(name), CPU, "bf16").notes == ()


@pytest.mark.parametrize(("name", "stage"), [("zero1", 1), ("zero2", 2), ("zero3", 3), ("llama-x", 3)])
def test_the_stage_is_what_the_name_says(name: str, stage: int) -> None:
    """File names do not lie."""
    assert zero_stage(shipped(name)) == stage


def test_the_recipes_own_on_a_cpu() -> None:
    """Llama-X's configuration loses fp16 and the compiled Adam, and keeps its numbers."""
    adapted = adapt(shipped("llama-x"), CPU, "bf16")
    assert adapted.config["optimizer"]["params"]["torch_adam"] is True
    assert adapted.config["fp16"]["initial_scale_power"] == 32
    assert adapted.config["zero_optimization"] == shipped("llama-x")["zero_optimization"]
    assert [note.split(" ")[0] for note in adapted.notes] == ["DeepSpeed's", "torch's"]


def test_offload_needs_a_gpu() -> None:
    """On the CPU there is nothing to offload from; on a GPU the user's wish stays, with DeepSpeed's own optimizer."""
    config = shipped("llama-x")
    config["zero_optimization"]["offload_optimizer"] = {"device": "cpu"}
    config["zero_optimization"]["offload_param"] = {"device": "cpu"}
    on_cpu = adapt(config, CPU, "bf16")
    assert not {"offload_optimizer", "offload_param"} & set(on_cpu.config["zero_optimization"])
    assert any("offload_optimizer and offload_param left out" in note for note in on_cpu.notes)
    on_gpu = adapt(config, A100, "fp16")
    assert on_gpu.config["zero_optimization"]["offload_param"] == {"device": "cpu"}
    assert "torch_adam" not in on_gpu.config["optimizer"]["params"]


def test_a_model_can_always_be_saved() -> None:
    """ZeRO-3 gathers its weights on saving unless its user says no; either is told."""
    key = "stage3_gather_16bit_weights_on_model_save"
    config = shipped("zero3")
    del config["zero_optimization"][key]
    assert adapt(config, CPU, "bf16").config["zero_optimization"][key] is True
    assert len(adapt(config, CPU, "bf16").notes) == 1
    config["zero_optimization"][key] = False
    adapted = adapt(config, CPU, "bf16")
    assert adapted.config["zero_optimization"][key] is False
    assert adapted.notes == (f"DeepSpeed's {key} is false: the final model is put together from the last checkpoint",)


@pytest.mark.parametrize("name", ["zero2", "zero3"])
def test_gpus_update_in_one_kernel(name: str) -> None:
    """Torch's AdamW, fused where there is a GPU; an offloaded optimizer is DeepSpeed's own."""
    on_gpu = adapt(shipped(name), A100, "bf16")
    assert on_gpu.config["optimizer"]["params"]["fused"] is True
    assert any("one fused kernel" in note for note in on_gpu.notes)
    assert "fused" not in adapt(shipped(name), CPU, "bf16").config["optimizer"]["params"]
    offloaded = adapt(shipped(f"{name}-offload"), A100, "bf16").config
    assert not {"torch_adam", "fused"} & set(offloaded["optimizer"]["params"])
    assert offloaded["zero_optimization"]["offload_optimizer"] == {"device": "cpu", "pin_memory": True}


def test_a_bare_configuration_is_enough() -> None:
    """Sections that are not there are not missed."""
    adapted = adapt({}, CPU, "fp32")
    assert zero_stage(adapted.config) == 0
    assert adapted.notes == ()


@pytest.mark.parametrize("name", ["zero1", "zero2", "zero2-offload"])
def test_a_bucket_holds_no_more_than_there_is(name: str) -> None:
    """Two buckets of 500 million are 2 GB of each GPU, of which adapters fill a tenth."""
    config = shipped(name)
    (note,) = fit_buckets(config, 40_000_000)
    assert config["zero_optimization"]["reduce_bucket_size"] == 40_000_000
    assert "40,000,000 instead of 500,000,000" in note
    assert fit_buckets(config, 40_000_000) == ()
    whole = shipped(name)
    assert fit_buckets(whole, 7_000_000_000) == ()
    assert whole == shipped(name)
    bare: dict[str, Any] = {"zero_optimization": {"stage": 2}}
    assert fit_buckets(bare, 1000) != ()
    assert bare["zero_optimization"]["reduce_bucket_size"] == 1000


@pytest.mark.parametrize("name", ["zero3", "llama-x"])
def test_buckets_that_follow_the_width_stay(name: str) -> None:
    """ZeRO-3's are `auto`: the square of the model's width."""
    config = shipped(name)
    assert fit_buckets(config, 1000) == ()
    assert config == shipped(name)
