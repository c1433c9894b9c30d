"""The same weights once more in other formats: doubled bytes, and pickles among them."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_Entry = TypeVar("_Entry")

_OTHER_FORMATS = (
    "pytorch_model*.bin*", "consolidated*.pth", "tf_model*.h5*", "flax_model*.msgpack*", "rust_model.ot", "*.gguf",
    "original/*", "onnx/*",
)  # fmt: skip


def without_other_formats(listing: Mapping[str, _Entry]) -> dict[str, _Entry]:
    """The files of a model without what its safetensors hold already; all of them where there are no safetensors."""
    if not any(fnmatch.fnmatch(path, "*.safetensors") for path in listing):
        return dict(listing)
    return {path: entry for path, entry in listing.items() if not _is_other_format(path)}


def _is_other_format(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in _OTHER_FORMATS)
