"""Section `sync`: further files that the machine gets."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runs.spec import patterns
from runs.spec.section import Section
from runs.spec.sources import Source


def _checked_target(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute():
        raise ValueError(f"expected a path relative to the workspace (no leading /), found: {text}")
    if ".." in path.parts or not path.parts:
        raise ValueError(f"expected a path inside the workspace, found: {text}")
    if path.parts[0] == "llamalift":
        raise ValueError(f"the folder llamalift of the workspace holds the runs themselves, found: {text}")
    return str(path)


def _checked_rule(text: str) -> str:
    # It takes as long to import as the rest of the run file, and few run files have rules.
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([text])
    except ValueError:
        raise ValueError(f"expected a pattern as in a .gitignore, found: {text}") from None
    return text


class SyncItem(Section):
    """One file or folder that the machine gets before training starts. The model and the data need no entry."""

    source: Source = Field(alias="from", description="A local path or an hf:// address.")
    target: Annotated[str, AfterValidator(_checked_target)] = Field(
        alias="to", min_length=1, max_length=512, pattern=patterns.PLAIN_TEXT, description="Path in the workspace."
    )
    ignore: tuple[
        Annotated[str, AfterValidator(_checked_rule), Field(min_length=1, max_length=512, pattern=patterns.PLAIN_TEXT)],
        ...,
    ] = Field(
        default=(),
        max_length=1000,
        description="What of a folder is not sent, as in a .gitignore; added to its .llamaliftignore and .git.",
    )
    links: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="Symbolic links in a folder: refuse, or keep those that lead to something inside it.",
    )
