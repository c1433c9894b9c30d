"""RE2, by whichever of its two Python forms is there: google-re2 at home, Arrow's kernels on the machine.

Both hold the same library, so that the same pattern finds the same texts; and it takes time in proportion to the text,
whatever the pattern. A pattern that would need more than that is refused when it is compiled.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from templates.curation.errors import PatternError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Parts texts that are searched as one. No phrase has it, and it is neither white space nor a part of a word.
_BETWEEN = b"\0"


class Finder(Protocol):
    """A compiled pattern."""

    def hits(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether the pattern finds anything in it."""

    def found(self, texts: Sequence[str], *, as_one: bool = False) -> list[str | None]:
        """For each text, what the pattern, which has no group that captures, finds first in it.

        Args:
            texts: Texts that UTF-8 can say.
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

    def hits(self, texts: Sequence[str]) -> list[bool]:
        search = self._pattern.search
        return [search(text.encode()) is not None for text in texts]

    def found(self, texts: Sequence[str], *, as_one: bool = False) -> list[str | None]:
        encoded = [text.encode() for text in texts]
        return self._as_one(encoded) if as_one else [self._search(text) for text in encoded]

    def _search(self, text: bytes) -> str | None:
        match = self._pattern.search(text)
        return None if match is None else match.group().decode()

    def _as_one(self, encoded: list[bytes]) -> list[str | None]:
        whole = _BETWEEN.join(encoded)
        starts = [0, *accumulate(len(text) + 1 for text in encoded)]
        found: list[str | None] = [None] * len(encoded)
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
            self.hits([""])
        except pa.ArrowInvalid as error:
            raise PatternError(str(error).removeprefix("Invalid regular expression: ")) from error

    def found(self, texts: Sequence[str], *, as_one: bool = False) -> list[str | None]:
        del as_one  # the kernel takes all texts at once anyway
        import pyarrow as pa
        import pyarrow.compute as pc

        hits = self.hits(texts)
        numbers = [number for number, hit in enumerate(hits) if hit]
        found: list[str | None] = [None] * len(texts)
        if numbers:
            # The group has a name because the kernel takes no other.
            taken = pc.extract_regex(pa.array([texts[number] for number in numbers]), f"(?P<found>{self._pattern})")
            for number, text in zip(numbers, taken.field("found").to_pylist(), strict=True):
                found[number] = text
        return found

    def hits(self, texts: Sequence[str]) -> list[bool]:
        import pyarrow as pa
        import pyarrow.compute as pc

        hits: list[bool] = pc.match_substring_regex(pa.array(texts, pa.string()), self._pattern).to_pylist()
        return hits
