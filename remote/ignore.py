"""What of a folder is not sent: `.gitignore` syntax, from the folder's own file and from the run file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pathspec import GitIgnoreSpec

RULES_FILE = ".llamaliftignore"
# History is of no use to training, and hooks and credentials in it are nobody's business there.
_ALWAYS = ".git"


class Rules:
    """Which paths of one folder are left out. A folder that is left out is not looked into, as git does it."""

    def __init__(self, spec: GitIgnoreSpec | None) -> None:
        self._spec = spec

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether `path`, relative to the folder and with `/`, is left out."""
        if path.rpartition("/")[2] == _ALWAYS:
            return True
        return self._spec is not None and self._spec.match_file(f"{path}/" if is_folder else path)


def rules_for(folder: Path, patterns: Iterable[str] = ()) -> Rules:
    """The rules of `folder`: those of its `.llamaliftignore`, then `patterns`, so that these have the last word.

    Raises:
        TransferError: The file is not UTF-8, or a pattern has no meaning.
        OSError: The file cannot be read.
    """
    file = folder / RULES_FILE
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        lines += patterns
        if not lines:
            return Rules(None)
        # It takes as long to import as everything else here, and few folders have rules.
        from pathspec import GitIgnoreSpec

        return Rules(GitIgnoreSpec.from_lines(lines))
    except ValueError as error:
        raise TransferError(
            f"not a rule that says what to leave out: {error}",
            hint=f"one pattern a line, as in a .gitignore; see {RULES_FILE} in {folder}, and `ignore` in the run file",
        ) from error
