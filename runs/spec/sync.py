"""Section `sync`: further files that the machine gets."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runs.spec import patterns
from runs.spec.section import Section, broken_rule, refuse
from runs.spec.sources import (
    SHA256_WORDS,
    BlobSource,
    LocalSource,
    Source,
    WebSource,
    file_of,
    parse_source,
    sha256_rule,
)


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

    source: Source = Field(
        alias="from", description="A local path, or an hf://, https://, az:// or git+https:// address."
    )
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
    sha256: str | None = Field(default=None, pattern=patterns.SHA256, description=SHA256_WORDS)

    @model_validator(mode="after")
    def _rules(self) -> Self:
        source = parse_source(self.source)
        is_one_file = isinstance(source, WebSource) or (
            not isinstance(source, LocalSource | BlobSource) and file_of(source)
        )
        if self.ignore and is_one_file:
            refuse("sync", [broken_rule(("ignore",), f"one file has nothing to leave out, found: {self.source}")])
        refuse("sync", sha256_rule(self.source, self.sha256))
        return self
