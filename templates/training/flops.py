"""How much of a GPU's peak a training uses (MFU, model FLOPs utilisation). Pure.

The formula is that of PaLM (Chowdhery et al. 2022, appendix B), for any share of trainable weights. Per token: 2
operations for each weight forward, 2 for each weight backward through the activations, 2 for each *trainable* weight's
gradient (6 N when all of them train); and 12 x layers x attention width for each pair of tokens that attend to each
other. What is done twice to save memory (activation checkpointing), padding, and the lookup in the embeddings do not
count.

Peaks are the dense 16-bit tensor-core figures of NVIDIA's and AMD's data sheets, half of what they print "with
sparsity": T4 and V100 (2018), A100, A30, A10, A40 and RTX A6000 (2020-2021), L4, L40S and RTX 6000 Ada (2022-2023),
H100 (SXM 989, PCIe 756, NVL 835), H200, GH200, B200, GB200 (2023-2024), MI300X (2023). In fp32 there is no figure:
whether TF32 runs decides it by a factor of eight.
"""

from __future__ import annotations

from dataclasses import dataclass

# In 10^12 operations a second; the first whose words are all in the device's name is it.
_PEAKS: tuple[tuple[str, float], ...] = (
    ("h100 pcie", 756.0),
    ("h100 nvl", 835.0),
    ("h200 nvl", 835.0),
    ("h200", 989.0),
    ("gh200", 989.0),
    ("h100", 989.0),
    ("gb200", 2500.0),
    ("b200", 2250.0),
    ("a100", 312.0),
    ("a30", 165.0),
    ("a40", 149.7),
    ("a10", 125.0),
    ("a6000", 154.8),
    ("v100 pcie", 112.0),
    ("v100", 125.0),
    ("t4", 65.0),
    ("l40s", 362.0),
    ("l4", 121.0),
    ("rtx 6000 ada", 364.2),
    ("mi300x", 1307.4),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides its operations.

    Attributes:
        weights: All weights but the input embeddings (which count where they are the output's as well).
        trainable: Those of them that train.
        layers: Transformer layers; 0 when not known, which leaves attention out.
        width: Attention heads x their size.
    """

    weights: int
    trainable: int
    layers: int
    width: int

    def operations(self, tokens: int, pairs: int) -> float:
        """Operations of training on `tokens` tokens; `pairs` is the sum of the squares of the rows' lengths."""
        return (4.0 * self.weights + 2.0 * self.trainable) * tokens + 12.0 * self.layers * self.width * pairs


def peak_operations_per_second(device: str, precision: str) -> float | None:
    """Peak of one GPU by the name that its driver gives it; None for one that is not known, and for fp32."""
    if precision not in {"bf16", "fp16"}:
        return None
    words = set(device.lower().replace("-", " ").split())
    return next((peak * 1e12 for name, peak in _PEAKS if set(name.split()) <= words), None)
