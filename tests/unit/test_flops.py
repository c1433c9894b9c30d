"""MFU: operations of a model by PaLM's formula, over what the GPU's data sheet promises."""

from __future__ import annotations

import pytest

from templates.training.flops import Shape, peak_operations_per_second

# LLaMA-7B without its input embeddings (32,000 x 4,096): 32 layers, 32 heads of 128.
LLAMA_7B = Shape(weights=6_607_343_616, trainable=6_607_343_616, layers=32, width=4096)


def test_a_full_fine_tune_takes_six_operations_for_each_weight_and_token() -> None:
    """And attention: at 2,048 tokens a row a twelfth more."""
    row = LLAMA_7B.operations(2048, 2048**2)
    assert row == pytest.approx(6 * LLAMA_7B.weights * 2048 + 12 * 32 * 4096 * 2048**2)
    # 4.3e10 operations a token.
    assert row / 2048 == pytest.approx(4.29e10, rel=0.01)


def test_weights_that_do_not_train_need_no_gradient() -> None:
    """With LoRA the base is gone through forward and backward, and its own gradients are never made."""
    lora = Shape(LLAMA_7B.weights, 20_000_000, layers=0, width=0)
    full = Shape(LLAMA_7B.weights, LLAMA_7B.weights, layers=0, width=0)
    assert lora.operations(1, 1) / full.operations(1, 1) == pytest.approx(2 / 3, rel=0.01)


@pytest.mark.parametrize(
    ("device", "teraflops"),
    [
        ("NVIDIA A100 80GB PCIe", 312.0),
        ("NVIDIA A100-SXM4-40GB", 312.0),
        ("NVIDIA H100 80GB HBM3", 989.0),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA H100 NVL", 835.0),
        ("NVIDIA H200", 989.0),
        ("Tesla V100-PCIE-16GB", 112.0),
        ("Tesla V100-SXM2-16GB", 125.0),
        ("Tesla T4", 65.0),
        ("NVIDIA A10-24Q", 125.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA GeForce RTX 1080", None),
        ("cpu", None),
    ],
)
def test_a_gpu_is_known_by_the_name_that_its_driver_gives(device: str, teraflops: float | None) -> None:
    """Of one that is not known there is no peak, and so no MFU; nor of fp32."""
    assert peak_operations_per_second(device, "bf16") == (None if teraflops is None else teraflops * 1e12)
    assert peak_operations_per_second(device, "fp32") is None
