"""Section `sync`: further files that the machine gets."""

from pathlib import PurePosixPath
from typing import Annotated

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


class SyncItem(Section):
    """One file or folder that the machine gets before training starts. The model and the data need no entry."""

    source: Source = Field(alias="from", description="A local path or an hf:// address.")
    target: Annotated[str, AfterValidator(_checked_target)] = Field(
        alias="to", min_length=1, max_length=512, pattern=patterns.PLAIN_TEXT, description="Path in the workspace."
    )
