"""Goes through a query, word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.graph.problems import parser_failure
from provisioning.rehearsal.arm.graph.words import split

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.graph.words import Word


class Reader:
    """Goes through the words of one query."""

    def __init__(self, query: str) -> None:
        self._words = split(query)
        self._at = 0

    @property
    def word(self) -> Word:
        """The word that is next."""
        return self._words[self._at]

    def take(self) -> Word:
        """The next word, which is behind us then; at the end it stays the end."""
        word = self.word
        self._at = min(self._at + 1, len(self._words) - 1)
        return word

    def skip(self, *texts: str) -> bool:
        """Go past the next word if it is one of these."""
        if not self.word.says(*texts):
            return False
        self.take()
        return True

    def demand(self, text: str) -> None:
        """Go past `text`.

        Raises:
            ArmError: 400, it is something else.
        """
        if not self.skip(text):
            raise parser_failure(self.word, text)

    def name(self) -> Word:
        """A name.

        Raises:
            ArmError: 400, it is something else.
        """
        if self.word.kind != "name":
            raise parser_failure(self.word, "<identifier>")
        return self.take()

    @property
    def position(self) -> int:
        """How many words are behind us."""
        return self._at

    def since(self, position: int) -> list[Word]:
        """The words that were taken since then."""
        return self._words[position : self._at]

    def names_ahead(self, sign: str) -> bool:
        """Whether a name and then `sign` come next."""
        following = self._words[min(self._at + 1, len(self._words) - 1)]
        return self.word.kind == "name" and following.says(sign)
