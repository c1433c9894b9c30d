"""How alike two rows are, and a signature by which rows that are alike meet.

Likeness is the Jaccard similarity of the sets of word triples. The signature is MinHash by one permutation (P. Li,
A. Owen, C.-H. Zhang, 2012: one hash for each triple, the smallest in each of 64 buckets), with empty buckets filled
from others (optimal densification: A. Shrivastava, 2017), cut into bands (A. Broder, 1997; J. Leskovec et al.,
Mining of Massive Datasets, 3.4). Whoever meets in a band is compared exactly, so that nothing is dropped on a guess.
"""

from __future__ import annotations

import re
from array import array
from functools import cache, lru_cache, partial
from hashlib import blake2b
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BUCKETS = 64
_MASK = (1 << 64) - 1
# Odd, so that multiplying loses nothing; the golden ratio's digits and those of a well-tried mixer (splitmix64).
_FACTORS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
# Words; letters of scripts that do not separate words count as words.
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힣]|[^\W_぀-ヿ㐀-鿿가-힣]+")
_KNOWN_WORDS = 1 << 16
_NO_WORD = (0, 0, 0)
_ODD = tuple(range(1, 2 * _BUCKETS, 2))


def triples(texts: Sequence[str]) -> frozenset[int]:
    """The hashes of all word triples; case and punctuation do not count. A text of one or two words is one triple."""
    found: set[int] = set()
    for text in texts:
        words = [_hashes(word) for word in _WORD.findall(text.lower())]
        if 0 < len(words) < 3:
            words = [*words, _NO_WORD, _NO_WORD][:3]
        found.update(
            (first[0] + second[1] + third[2]) & _MASK
            for first, second, third in zip(words, words[1:], words[2:], strict=False)
        )
    return frozenset(found)


def similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard similarity: what both have as a share of what either has; 1 for two empty sets."""
    both = len(one & other)
    either = len(one) + len(other) - both
    return both / either if either else 1.0


@cache
def bands_for(least: float) -> tuple[int, int]:
    """Give the number of bands and of values in each, by which rows as alike as `least` meet nearly always.

    Of all ways to cut 64 values, the widest bands (so the fewest chance meetings) with which two rows exactly that much
    alike fail to meet less than once in ten thousand times: (1 - least ** width) ** bands < 0.0001.
    """
    for width in range(16, 1, -1):
        bands = _BUCKETS // width
        if (1 - least**width) ** bands < 1e-4:
            return bands, width
    return _BUCKETS, 1


def band_values(found: frozenset[int], bands: int, width: int) -> array[int]:
    """Give a row's value in each band; rows that share one meet."""
    signature = _signature(found)
    return array(
        "Q",
        (
            # The values are hashes already: an odd factor for each place tells their orders apart.
            (sum(map(mul, signature[begin : begin + width], _ODD)) + begin) & _MASK
            for begin in range(0, bands * width, width)
        ),
    )


def _signature(found: frozenset[int]) -> list[int]:
    """The smallest hash in each bucket."""
    smallest: dict[int, int] = {}
    known = smallest.get
    for value in found:
        bucket = value & (_BUCKETS - 1)
        least = known(bucket)
        if least is None or value < least:
            smallest[bucket] = value
    if len(smallest) == _BUCKETS or not smallest:
        return [known(bucket, 0) for bucket in range(_BUCKETS)]
    return _filled(smallest)


def _filled(smallest: Mapping[int, int]) -> list[int]:
    """Empty buckets get the value of another one, looked for in an order of their own."""
    return [
        smallest[next(other for other in order if other in smallest)] if bucket not in smallest else smallest[bucket]
        for bucket, order in enumerate(_orders())
    ]


@cache
def _orders() -> tuple[tuple[int, ...], ...]:
    """For each bucket, all buckets in an order of its own, the same on every computer."""

    def key(bucket: int, other: int) -> bytes:
        return blake2b(bytes([bucket, other]), digest_size=8).digest()

    return tuple(tuple(sorted(range(_BUCKETS), key=partial(key, bucket))) for bucket in range(_BUCKETS))


@lru_cache(_KNOWN_WORDS)
def _hashes(word: str) -> tuple[int, int, int]:
    """A word's hash as the first, second and third of a triple."""
    value = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
    first, second, third = (value * factor & _MASK for factor in _FACTORS)
    return first, second, third
