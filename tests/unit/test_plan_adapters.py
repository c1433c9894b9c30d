"""Adapters and offloading in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from runs.errors import SpecError
from runs.plan.adapters import frozen_bytes, trained_parameters
from runs.plan.make import make_plan
from runs.plan.memory import Sharding
from runs.plan.model_shape import known_shapes
from runs.plan.offload import offload_of
from runs.spec.load import load_run_file
from runs.spec.train import Train
from templates.training.lora import Lora
from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan

LLAMA_7B = 6_738_415_616
SHAPE = known_shapes()["huggyllama/llama-7b"]
DATA = "hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/x.json"
ALL = Sharding(3, offloads_optimizer=True, offloads_parameters=True)


def train(**flags: object) -> Train:
    """Flags as the run file has them."""
    return Train.model_validate(flags)


def plan(folder: Path, flags: str, size: str = "Standard_NC96ads_A100_v4") -> Plan:
    """The plan of LLaMA-7B with some flags."""
    text = f"name: x\ncloud: azure\nmachine: {{size: {size}}}\nmodel: {{from: hf://huggyllama/llama-7b}}\n"
    (folder / "run.yaml").write_text(f"{text}data: {{from: {DATA}}}\ntrain: {flags}\n")
    return make_plan(load_run_file(folder / "run.yaml"))


@pytest.mark.parametrize(
    ("lora", "expected"),
    [
        # What peft 0.21 counts on LLaMA-7B.
        ({"r": 16}, 39_976_960),
        ({"r": 8, "target_modules": ["q_proj", "v_proj"]}, 4_194_304),
        ({"r": 8, "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]}, 4_194_304 + 32000 * 4096),
        # Modules that no shape tells of: a share stands in.
        ({"r": 16, "target_modules": ["c_attn"]}, 67_384_156),
        ({}, LLAMA_7B),
    ],
)
def test_trained_parameters_are_counted(lora: dict[str, object], expected: int) -> None:
    """Rank times inputs and outputs of each module."""
    assert trained_parameters(train(lora=lora), LLAMA_7B, SHAPE) == expected


def test_a_frozen_base_takes_its_bits() -> None:
    """Two bytes for each parameter, or a little over half a byte in 4 bits; a share of it under ZeRO-3."""
    lora, in_4_bits = train(lora={"r": 8}).lora, train(lora={"r": 8, "quantize": "nf4"}).lora
    assert frozen_bytes(LLAMA_7B, 4, Sharding(2), lora) == 2 * LLAMA_7B
    assert frozen_bytes(LLAMA_7B, 4, Sharding(3), lora) == 2 * LLAMA_7B // 4
    assert frozen_bytes(LLAMA_7B, 1, Sharding(2), in_4_bits) == pytest.approx(0.516 * LLAMA_7B, rel=0.01)
    assert frozen_bytes(LLAMA_7B, 4, ALL, lora) == 0


def test_adapters_make_everything_smaller(tmp_path: Path) -> None:
    """A 7B model fits one GPU, a checkpoint is 140 times smaller, and the plan says what becomes of the adapters."""
    whole = plan(tmp_path, "{}")
    found = plan(tmp_path, "{lora: {r: 16}, deepspeed: zero2}", "Standard_NC24ads_A100_v4")
    assert found.memory is not None
    assert found.memory.states_bytes < 15e9
    assert found.need.checkpoint < whole.need.checkpoint / 140
    assert found.need.final > whole.need.final
    assert any("about 40.0 million parameters are trained" in note for note in found.notes)
    assert any(note.endswith("found: 2e-05") for note in found.notes)
    assert not any(
        "ten times the rate" in note for note in plan(tmp_path, "{lora: {r: 16}, learning_rate: 2e-4}").notes
    )


def test_offloading_is_told_in_gigabytes_and_seconds(tmp_path: Path) -> None:
    """What a GPU wins, what main memory loses, what each step takes longer."""
    found = plan(tmp_path, "{deepspeed: zero3-offload}")
    assert found.offload is not None
    assert found.offload.main_memory_bytes == 18 * LLAMA_7B
    assert found.offload.step_seconds > 2
    (note,) = (note for note in found.notes if note.startswith("offloading takes 30 GB from each GPU and 182 GB"))
    assert "on the CPU" in note
    assert plan(tmp_path, "{deepspeed: zero2-offload}").offload is not None
    assert plan(tmp_path, "{deepspeed: zero3}").offload is None


def test_offloading_less_takes_less() -> None:
    """Only the optimizer, or only adapters: fewer bytes beside the GPUs and over the bus; nothing without GPUs."""
    flags, adapters = train(), train(lora={"r": 16})
    optimizer = offload_of(LLAMA_7B, LLAMA_7B, 4, Sharding(3, offloads_optimizer=True), flags)
    everything = offload_of(LLAMA_7B, LLAMA_7B, 4, ALL, flags)
    little = offload_of(LLAMA_7B, 40_000_000, 4, ALL, adapters)
    assert optimizer is not None
    assert everything is not None
    assert little is not None
    assert optimizer.step_seconds < everything.step_seconds
    assert optimizer.main_memory_bytes == 16 * LLAMA_7B
    assert little.main_memory_bytes < everything.main_memory_bytes / 8
    assert offload_of(LLAMA_7B, LLAMA_7B, 0, ALL, flags) is None


def test_main_memory_is_looked_at(tmp_path: Path) -> None:
    """A 70B model's states do not fit beside four GPUs."""
    (tmp_path / "run.yaml").write_text(
        "name: x\ncloud: azure\nmodel: {from: hf://meta-llama/Llama-2-70b-hf}\n"
        f"data: {{from: {DATA}}}\ntrain: {{deepspeed: zero3-offload}}\n"
    )
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(tmp_path / "run.yaml"))
    assert any("GB of main memory" in problem.message for problem in caught.value.problems)


def test_4_bits_need_a_gpu(tmp_path: Path) -> None:
    """Refused before anything is created, at its place in the run file."""
    write_tiny_llama(tmp_path / "tiny")
    (tmp_path / "rows.json").write_text('[{"instruction": "a", "output": "b"}]')
    (tmp_path / "run.yaml").write_text(
        "name: x\nmachine: {size: Standard_D2s_v5}\nmodel: {from: ./tiny}\ndata: {from: ./rows.json}\n"
        "train: {lora: {r: 8, quantize: nf4}}\n"
    )
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(tmp_path / "run.yaml"))
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("train.lora.quantize", "needs an NVIDIA GPU, and Standard_D2s_v5 has none, found: nf4")
    ]


def test_adapters_without_a_rank_are_refused() -> None:
    """Whoever says something about them wants some."""
    with pytest.raises(ValidationError, match="adapters need a rank, often 16, found: 0"):
        train(lora={"dropout": 0.2})


def test_what_is_asked_for_reaches_the_trainer() -> None:
    """As one word of its command line; twice the rank where no scale is given."""
    words = train(lora={"r": 8, "target_modules": ["q_proj"]}).argv()
    asked = Lora.from_json(words[words.index("--lora") + 1])
    assert asked == Lora(r=8, alpha=16, target_modules=("q_proj",))
    assert "--lora" not in train().argv()
    with pytest.raises(ValueError, match="--lora is not the JSON of adapters"):
        Lora.from_json('{"rank": 8}')


def test_a_chat_template_must_be_there(tmp_path: Path) -> None:
    """`prompt_format: tokenizer` is refused for a local model without one, and works as soon as it has one."""
    write_tiny_llama(tmp_path / "tiny")
    (tmp_path / "rows.json").write_text('[{"instruction": "a", "output": "b"}]')
    (tmp_path / "run.yaml").write_text(
        "name: x\nmachine: {size: Standard_D2s_v5}\nmodel: {from: ./tiny}\n"
        "data: {from: ./rows.json, prompt_format: tokenizer}\n"
    )
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(tmp_path / "run.yaml"))
    assert [problem.path for problem in caught.value.problems] == ["data.prompt_format"]
    (tmp_path / "tiny" / "chat_template.jinja").write_text("{{ messages }}")
    assert make_plan(load_run_file(tmp_path / "run.yaml")).steps == 3
