"""RE2, by whichever of its two Python forms is there: google-re2 at home, Arrow's kernels on the machine.

Both hold the same library, so that the same pattern finds the same texts; and it takes time in proportion to the text,
whatever the pattern. A pattern that would need more than that is refused when it is compiled.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from templates.curation.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Parts texts that are searched as one. No phrase has it, and it is neither white space nor a part of a word.
_BETWEEN = b"\0"


class Batch:
    """Texts that UTF-8 can say, in the forms that the engines take; each form is made once, when it is asked for."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def encoded(self) -> list[bytes]:
        """Each text in UTF-8."""
        return [text.encode() for text in self.texts]

    @cached_property
    def as_one(self) -> tuple[bytes, list[int]]:
        """All of them with a NUL after each, and where each begins."""
        starts = [0, *accumulate(len(text) + 1 for text in self.encoded)]
        return _BETWEEN.join([*self.encoded, b""]), starts

    @cached_property
    def array(self) -> Any:  # noqa: ANN401 (pyarrow's)
        """An array of Arrow."""
        import pyarrow as pa

        return pa.array(self.texts, pa.string())


class Finder(Protocol):
    """A compiled pattern."""

    def hits(self, batch: Batch) -> list[bool]:
        """For each text, whether the pattern finds anything in it."""

    def found(self, batch: Batch, *, as_one: bool = False) -> list[str | None]:
        """For each text, what the pattern, which has no group that captures, finds first in it.

        Args:
            batch: The texts.
            as_one: The pattern has no anchor and cannot match a NUL: the texts may be searched as one, which is faster.
        """


def compiled(pattern: str, engine: str | None = None) -> Finder:
    """Compile a pattern.

    Args:
        pattern: In RE2's syntax.
        engine: `re2` or `arrow`; None takes what is there.

    Raises:
        PatternError: RE2 does not take it.
        ModuleNotFoundError: Neither form of RE2 is installed.
    """
    if engine is None:
        engine = "re2" if _has_re2() else "arrow"
    return _Re2(pattern) if engine == "re2" else _Arrow(pattern)


def _has_re2() -> bool:
    try:
        import re2  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        return False
    return True


class _Re2:
    """google-re2; one call for each text, or one search over all of them."""

    def __init__(self, pattern: str) -> None:
        import re2

        options = re2.Options()
        options.log_errors = False
        try:
            self._pattern: Any = re2.compile(pattern, options)
        except re2.error as error:
            words = error.args[0]
            raise PatternError(words.decode() if isinstance(words, bytes) else str(words)) from error

    def hits(self, batch: Batch) -> list[bool]:
        search = self._pattern.search
        return [search(text) is not None for text in batch.encoded]

    def found(self, batch: Batch, *, as_one: bool = False) -> list[str | None]:
        if as_one:
            return self._as_one(*batch.as_one)
        matches = map(self._pattern.search, batch.encoded)
        return [None if match is None else match.group().decode() for match in matches]

    def _as_one(self, whole: bytes, starts: list[int]) -> list[str | None]:
        found: list[str | None] = [None] * (len(starts) - 1)
        match = self._pattern.search(whole)
        while match is not None:
            number = bisect_right(starts, match.start()) - 1
            found[number] = match.group().decode()
            begin = starts[number + 1]
            match = self._pattern.search(whole, begin) if begin < len(whole) else None
        return found


class _Arrow:
    """Arrow's kernels."""

    def __init__(self, pattern: str) -> None:
        import pyarrow as pa

        self._pattern = pattern
        try:
            self.hits(Batch([""]))
        except pa.ArrowInvalid as error:
            raise PatternError(str(error).removeprefix("Invalid regular expression: ")) from error

    def hits(self, batch: Batch) -> list[bool]:
        import pyarrow.compute as pc

        hits: list[bool] = pc.match_substring_regex(batch.array, self._pattern).to_pylist()
        return hits

    def found(self, batch: Batch, *, as_one: bool = False) -> list[str | None]:
        del as_one  # the kernel takes all texts at once anyway
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = [number for number, hit in enumerate(self.hits(batch)) if hit]
        found: list[str | None] = [None] * len(batch.texts)
        if numbers:
            # The group has a name because the kernel takes no other.
            taken = pc.extract_regex(batch.array.take(pa.array(numbers)), f"(?P<found>{self._pattern})")
            for number, text in zip(numbers, taken.field("found").to_pylist(), strict=True):
                found[number] = text
        return found
