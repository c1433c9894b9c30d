"""Where something comes from: a path beside the run file, or the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from runs.spec import patterns

_HUB_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB = re.compile(
    rf"hf://(?P<datasets>datasets/)?(?P<repository>{_HUB_PART}/{_HUB_PART})(?:@(?P<revision>[A-Za-z0-9._-]+))?"
    r"(?:/(?P<file>[^@]+))?"
)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_NOT_YET = {"https": "downloads from the web", "az": "Azure Blob Storage"}


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A file or folder on this computer; relative paths are relative to the run file's folder."""

    path: str


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the Hugging Face Hub, or one file of it.

    Attributes:
        repository: `owner/name`.
        is_dataset: A data set; otherwise a model.
        revision: Branch, tag or commit; None for the default branch.
        file: Path in the repository; None for the whole of it.
    """

    repository: str
    is_dataset: bool
    revision: str | None
    file: str | None


def parse_source(text: str) -> LocalSource | HubSource:
    """Tell what kind of source `text` is.

    Raises:
        ValueError: A scheme that is unknown or not built yet, or a malformed `hf://` address.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return LocalSource(text)
    if scheme["scheme"] in _NOT_YET:
        raise ValueError(
            f"not yet: {_NOT_YET[scheme['scheme']]} ({scheme['scheme']}://); fetch it to a local path first"
        )
    if scheme["scheme"] != "hf":
        raise ValueError(f"expected a local path or an hf:// address, found: {text}")
    return _parse_hub(text)


def _parse_hub(text: str) -> HubSource:
    match = _HUB.fullmatch(text)
    if match is None or ".." in text:
        raise ValueError(
            f"expected hf://owner/name[@revision][/file] or hf://datasets/owner/name[@revision][/file], found: {text}"
        )
    return HubSource(match["repository"], match["datasets"] is not None, match["revision"], match["file"])


def _checked(text: str) -> str:
    parse_source(text)
    return text


def _checked_model(text: str) -> str:
    source = parse_source(text)
    if isinstance(source, HubSource) and (source.is_dataset or source.file):
        raise ValueError(f"expected a whole model, such as hf://huggyllama/llama-7b, found: {text}")
    return text


def _checked_data(text: str) -> str:
    source = parse_source(text)
    if isinstance(source, HubSource) and not source.is_dataset:
        raise ValueError(f"expected a data set, such as hf://datasets/owner/name/file.json, found: {text}")
    return text


_Text = Annotated[str, Field(min_length=1, max_length=1024, pattern=patterns.PLAIN_TEXT)]
Source = Annotated[_Text, AfterValidator(_checked)]
ModelSource = Annotated[_Text, AfterValidator(_checked_model)]
DataSource = Annotated[_Text, AfterValidator(_checked_data)]
