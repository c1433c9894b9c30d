"""A DeepSpeed config is read before it costs an hour: what would stop the run, what is only worth knowing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runs.plan.deepspeed_lint import Lint, lint
from runs.spec.train import DEEPSPEED_CONFIGS, Train


def check(config: dict[str, Any] | str, *, gpus: int = 4, **train: object) -> Lint:
    """Lint a config against flags, on four processes."""
    text = config if isinstance(config, str) else json.dumps({"zero_optimization": {"stage": 2}} | config)
    return lint(text.encode(), Train.model_validate(train), 4, gpus=gpus)


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ({"zero_optimization": {}}, "expected zero_optimization.stage 1, 2 or 3, found: nothing"),
        ({"zero_optimization": {"stage": 4}}, "found: 4"),
        ({"train_batch_size": 64}, "train_batch_size must be 128"),
        ({"train_micro_batch_size_per_gpu": 4}, "must be 8 (train.per_device_train_batch_size)"),
        ({"gradient_accumulation_steps": 1}, "must be 4 (train.gradient_accumulation_steps)"),
        ({"gradient_clipping": 0.5}, "must be 1 (train.max_grad_norm)"),
        ({"optimizer": {"params": {"lr": 1e-3}}}, 'optimizer.params.lr must be 2e-05 (train.learning_rate) or "auto"'),
        ({"optimizer": {"params": {"weight_decay": 0.1}}}, "optimizer.params.weight_decay must be 0"),
    ],
)
def test_what_would_stop_the_run_is_a_fault(config: dict[str, Any] | str, fault: str) -> None:
    """Transformers refuses such a config, but only on the rented machine."""
    [found] = check(config).faults
    assert fault in found


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ({"zero_optimisation": {}}, "ignores the unknown key zero_optimisation; did you mean zero_optimization?"),
        ({"zero_optimization": {"stage": 3}}, "stage3_gather_16bit_weights_on_model_save"),
        ({"fp16": {"enabled": True}}, "DeepSpeed's fp16.enabled is true; the flags say bf16, and they win"),
    ],
)
def test_what_only_costs_is_a_note(config: dict[str, Any], note: str) -> None:
    """The trainer mends it or lives with it; the user should know before."""
    linted = check(config)
    assert linted.faults == ()
    assert any(note in found for found in linted.notes)


def test_auto_agrees_with_everything() -> None:
    """`auto` is what Transformers fills in from the flags."""
    automatic = {"train_batch_size": "auto", "optimizer": {"type": "AdamW", "params": {"lr": "auto"}}}
    assert check(automatic).faults == ()


@pytest.mark.parametrize("name", DEEPSPEED_CONFIGS)
def test_every_shipped_config_is_without_fault(name: str) -> None:
    """With the default flags, ours run."""
    from runs.spec.load import TEMPLATES

    linted = check((TEMPLATES / "deepspeed" / f"{name}.json").read_text())
    assert linted.faults == ()
    assert linted.stage == (3 if name == "llama-x" else int(name[4]))
    assert linted.offloads_optimizer == name.endswith("-offload")
    assert linted.offloads_parameters == (name == "zero3-offload")
