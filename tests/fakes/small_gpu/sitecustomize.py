"""On a worker's path: attention runs out of GPU memory when a batch has more rows than a GPU of SMALL_GPU_ROWS holds.

Only rank 1's GPU is so small, and only from its SMALL_GPU_CALLS-th attention on, as when a long row comes along.
"""

from __future__ import annotations

import os

if os.environ.get("RANK") == "1":
    import torch
    from torch.nn import functional

    _attend = functional.scaled_dot_product_attention
    _rows, _free_calls = int(os.environ["SMALL_GPU_ROWS"]), int(os.environ["SMALL_GPU_CALLS"])
    _calls = [0]

    def _attend_if_it_fits(query: torch.Tensor, *more: object, **options: object) -> torch.Tensor:
        _calls[0] += 1
        if _calls[0] > _free_calls and query.shape[0] > _rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return _attend(query, *more, **options)

    functional.scaled_dot_product_attention = _attend_if_it_fits
