"""The recipe's command line becomes one that today's Trainer and this machine take, with a note for each change."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from templates.training.flags import Translated, first_tracker, translate
from templates.training.hardware import Hardware

TRACKERS = frozenset({"wandb"})
CPU = Hardware(gpus=0, bf16=True, fp16=False, tf32=False, reporters=TRACKERS, wandb_key=False)
OLD_CPU = Hardware(gpus=0, bf16=False, fp16=False, tf32=False, reporters=TRACKERS, wandb_key=True)
A100 = Hardware(gpus=4, bf16=True, fp16=True, tf32=True, reporters=TRACKERS, wandb_key=True)
FLASH = replace(A100, flash_attention="flash_attention_2", liger=True)
V100 = Hardware(gpus=4, bf16=False, fp16=True, tf32=False, reporters=frozenset(), wandb_key=True)

RECIPE = (
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir out --num_train_epochs 3 "
    "--model_max_length 2048 --per_device_train_batch_size 8 --per_device_eval_batch_size 1 "
    '--gradient_accumulation_steps 4 --evaluation_strategy "no" --save_strategy "steps" --save_steps 800 '
    '--save_total_limit 3 --learning_rate 2e-5 --warmup_steps 2 --logging_steps 2 --lr_scheduler_type "cosine" '
    '--report_to "wandb" --gradient_checkpointing True --deepspeed configs/deepspeed_config.json --fp16 True'
)


def flags_of(translated: Translated) -> dict[str, str]:
    """Give the flags with their values joined."""
    flags: dict[str, list[str]] = {}
    values: list[str] = []
    for word in translated.argv:
        if word.startswith("--"):
            values = flags.setdefault(word[2:], [])
        else:
            values.append(word)
    return {name: " ".join(words) for name, words in flags.items()}


@pytest.mark.parametrize(
    ("given", "machine", "expected", "absent", "note"),
    [
        ("--evaluation_strategy no", A100, {"eval_strategy": "no"}, ["evaluation_strategy"], "--eval_strategy today"),
        ("--evaluation-strategy=no", A100, {"eval_strategy": "no"}, ["evaluation-strategy"], "--eval_strategy today"),
        ("--eval_strategy steps", A100, {"eval_strategy": "no"}, [], "no evaluation data"),
        (
            "--gradient_checkpointing True",
            A100,
            {"activation_checkpointing": "True"},
            ["gradient_checkpointing"],
            "--activation_checkpointing today",
        ),
        ("--fp16 True", CPU, {"fp16": "False", "bf16": "True"}, [], "trains in bf16 here"),
        ("--fp16", CPU, {"fp16": "False", "bf16": "True"}, [], "trains in bf16 here"),
        ("--fp16 True", OLD_CPU, {"fp16": "False"}, ["bf16"], "trains in fp32 here"),
        ("--bf16 True", V100, {"bf16": "False", "fp16": "True"}, [], "older than Ampere"),
        ("--bf16 True", OLD_CPU, {"bf16": "False"}, ["fp16"], "trains in fp32 here"),
        ("--tf32 True", CPU, {}, ["tf32"], "TF32"),
        ("--tf32 True", V100, {}, ["tf32"], "TF32"),
        ("--learning_rate 1", CPU, {"use_cpu": "True"}, [], "no GPU here"),
        ("--no_cuda", CPU, {"use_cpu": ""}, ["no_cuda"], "--use_cpu today"),
        ("--report_to wandb", V100, {"report_to": "none"}, [], "not installed"),
        ("--report_to wandb tensorboard", A100, {"report_to": "wandb"}, [], "--report_to tensorboard is left out"),
        ("--report_to wandb", CPU, {"report_to": "wandb"}, [], "offline"),
        ("--warmup_ratio 0.03", A100, {"warmup_steps": "0.03"}, ["warmup_ratio"], "--warmup_steps today"),
        (
            "--group_by_length True",
            A100,
            {"train_sampling_strategy": "group_by_length", "packing": "group_by_length"},
            ["group_by_length"],
            "--train_sampling_strategy",
        ),
        (
            "--packing auto --attention sdpa",
            A100,
            {"packing": "group_by_length", "train_sampling_strategy": "group_by_length"},
            [],
            "--packing auto is group_by_length here",
        ),
        ("--packing auto", A100, {"packing": "flat"}, ["train_sampling_strategy"], "--packing auto is flat here"),
        ("--learning_rate 1", FLASH, {"use_liger_kernel": "True"}, [], "Liger's fused kernels"),
        ("--use_liger_kernel True", A100, {"use_liger_kernel": "False"}, [], "--use_liger_kernel True is left out"),
        ("--overwrite_output_dir True", A100, {}, ["overwrite_output_dir"], "newest complete checkpoint"),
        ("--enable_jit_checkpoint True", A100, {}, ["enable_jit_checkpoint"], "wrong state under DeepSpeed"),
        ("--save_steps 800", A100, {"save_strategy": "no"}, ["save_steps"], "shrinks towards the end"),
        ("--save_strategy epoch", A100, {"save_strategy": "no"}, [], "saved by steps"),
    ],
)
def test_each_translation_is_noted(
    given: str, machine: Hardware, expected: dict[str, str], absent: list[str], note: str
) -> None:
    """A flag that the library or the machine cannot take is replaced, and a note says so."""
    translated = translate(shlex.split(given), machine)
    flags = flags_of(translated)
    assert flags | expected == flags
    assert not set(absent) & set(flags)
    assert any(note in text for text in translated.notes)


@pytest.mark.parametrize(
    "given",
    [
        "--fp16 True",
        "--bf16 True",
        "--tf32 True",
        "--report_to wandb",
        "--eval_strategy no",
        "--use_cpu False",
        "--seed 1",
    ],
)
def test_what_the_machine_can_do_stays_silently(given: str) -> None:
    """On an A100 the flags of today's library pass as they are."""
    translated = translate(given.split(), A100)
    assert translated.notes == ()
    assert translated.argv[:2] == tuple(given.split())


def test_the_recipe_on_a_cpu() -> None:
    """The published command line trains in bf16 on the CPU, with one note for each of its six changes."""
    translated = translate(shlex.split(RECIPE), CPU)
    assert translated.precision == "bf16"
    assert translated.save_steps == 800
    assert translated.save_limit == 3
    assert translated.saves
    assert translated.environment == {"WANDB_MODE": "offline"}
    assert len(translated.notes) == 6
    assert flags_of(translated)["deepspeed"] == "configs/deepspeed_config.json"


def test_the_recipe_on_a100s() -> None:
    """On the recipe's own GPUs only names and saving change: it trains in fp16 as published."""
    translated = translate(shlex.split(RECIPE), A100)
    assert translated.precision == "fp16"
    assert [note.split()[0] for note in translated.notes] == [
        "--evaluation_strategy",
        "--gradient_checkpointing",
        "--save_steps",
    ]


def test_no_checkpoints_when_none_are_asked_for() -> None:
    """`--save_strategy no` leaves the final model alone."""
    assert not translate(["--save_strategy", "no"], A100).saves


def test_a_given_schedule_needs_no_note() -> None:
    """With a schedule, --save_steps has nothing to say."""
    assert translate(["--save_steps", "800", "--llamalift_schedule", "{}"], A100).notes == ()


def test_our_own_limit_goes_first() -> None:
    """`--llamalift_keep` is what `--save_total_limit` is translated to; given both, ours counts."""
    assert translate(["--save_total_limit", "5"], A100).save_limit == 5
    assert translate(["--save_total_limit", "5", "--llamalift_keep", "2"], A100).save_limit is None


def test_an_unknown_flag_is_left_for_the_parser() -> None:
    """The parser names what nobody knows."""
    assert "--no_such_flag" in translate(["--no_such_flag", "1"], A100).argv


def test_the_last_of_two_wins() -> None:
    """As with any command line."""
    assert flags_of(translate(["--seed", "1", "--seed", "2"], A100))["seed"] == "2"


def test_a_stray_word_is_refused() -> None:
    """A value before any flag is a usage error."""
    with pytest.raises(ValueError, match="a flag must come first: oops"):
        translate(["oops"], A100)


def test_several_trackers_reach_the_trainer_one_by_one() -> None:
    """The library's own parser takes a single one."""
    argv = ["--report_to", "tensorboard", "wandb", "--seed", "1"]
    assert first_tracker(argv) == (["--report_to", "tensorboard", "--seed", "1"], ["wandb"])
    assert first_tracker(["--report_to", "wandb", "--bf16"]) == (["--report_to", "wandb", "--bf16"], [])
