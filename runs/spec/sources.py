"""Where something comes from: a path beside the run file, or what the machine fetches itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, Field

from runs.spec import patterns
from runs.spec.section import broken_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import InitErrorDetails

_HUB_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB = re.compile(
    rf"hf://(?P<datasets>datasets/)?(?P<repository>{_HUB_PART}/{_HUB_PART})(?:@(?P<revision>[A-Za-z0-9._-]+))?"
    r"(?:/(?P<file>[^@]+))?"
)
_BLOB = re.compile(
    r"az://(?P<account>[a-z0-9]{3,24})/(?P<container>(\$web|[a-z0-9](-?[a-z0-9]){2,62}))/?(?P<path>[^?#\\]*)"
)
_GIT = re.compile(r"git\+(?P<url>https?://[^@#?]+?)(?:@(?P<revision>[A-Za-z0-9._/-]+))?(?:#(?P<file>[^#]+))?")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
# What no network carries needs no encryption: for trying things out on one computer.
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FILE_NAME = re.compile(r"[^/\x00-\x1f\\]{1,200}")
# Whoever has such an address may read what it leads to, and the run file is kept and shown.
_SIGNATURE = re.compile(r"(^|&)(sig|signature|x-amz-signature|x-goog-signature|token|access_token|key)=", re.IGNORECASE)
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


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


@dataclass(frozen=True, slots=True)
class WebSource:
    """One file of the web.

    Attributes:
        url: `https://` address; `http://` only on this very computer.
        name: What the file is called.
    """

    url: str
    name: str

    @property
    def is_archive(self) -> bool:
        """Whether it is a tar file."""
        return self.name.endswith(ARCHIVES)


@dataclass(frozen=True, slots=True)
class BlobSource:
    """One blob of Azure storage, or all below a prefix.

    Attributes:
        account: Storage account.
        container: Container.
        path: Name of the blob, or the prefix; empty for the whole container.
    """

    account: str
    container: str
    path: str


@dataclass(frozen=True, slots=True)
class GitSource:
    """One commit of a repository of git, or one file of it; large files by git lfs.

    Attributes:
        url: `https://` address; `http://` only on this very computer.
        revision: Branch, tag or commit; None for the default branch.
        file: Path in the repository; None for the whole of it.
    """

    url: str
    revision: str | None
    file: str | None


RemoteSource = HubSource | WebSource | BlobSource | GitSource
AnySource = LocalSource | RemoteSource


def parse_source(text: str) -> AnySource:
    """Tell what kind of source `text` is.

    Raises:
        ValueError: A scheme that is unknown, or a malformed address.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return LocalSource(text)
    parse = _PARSERS.get(scheme["scheme"])
    if parse is None:
        raise ValueError(f"expected a local path or an hf://, https://, az:// or git+https:// address, found: {text}")
    return parse(text)


def file_of(source: AnySource) -> str | None:
    """The name of the one file that a source is, as far as its address tells; None for a folder."""
    match source:
        case LocalSource(path) | BlobSource(path=path):
            return path
        case WebSource(name=name):
            return name
        case HubSource(file=file) | GitSource(file=file):
            return file


def _parse_hub(text: str) -> HubSource:
    match = _HUB.fullmatch(text)
    if match is None or ".." in text:
        raise ValueError(
            f"expected hf://owner/name[@revision][/file] or hf://datasets/owner/name[@revision][/file], found: {text}"
        )
    return HubSource(match["repository"], match["datasets"] is not None, match["revision"], match["file"])


def _parse_web(text: str) -> WebSource:
    parts = _encrypted(text, text)
    if _SIGNATURE.search(parts.query):
        raise ValueError(
            f"the address holds a signature or a token, and the run file is no place for secrets; name one under "
            f"`secrets:` and use az://, hf:// or git+https://, found: {parts.scheme}://{parts.netloc}{parts.path}"
        )
    name = unquote(parts.path.rpartition("/")[2])
    if not _FILE_NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f"expected the address of one file, such as https://host/folder/file.json, found: {text}")
    return WebSource(text.partition("#")[0], name)


def _parse_blob(text: str) -> BlobSource:
    match = _BLOB.fullmatch(text)
    if match is None or ".." in match["path"].split("/"):
        raise ValueError(f"expected az://ACCOUNT/CONTAINER/PATH, found: {text}")
    return BlobSource(match["account"], match["container"], match["path"])


def _parse_git(text: str) -> GitSource:
    match = _GIT.fullmatch(text)
    if match is None or ".." in (match["file"] or "").split("/"):
        raise ValueError(f"expected git+https://host/owner/name[@revision][#file], found: {text}")
    _encrypted(match["url"], text)
    return GitSource(match["url"], match["revision"], match["file"])


def _encrypted(url: str, text: str) -> SplitResult:
    """The parts of a web address that is encrypted and holds no password.

    Raises:
        ValueError: It is not, or holds one.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError(f"an address with a user's name and password is kept and shown, found: {parts.scheme}://…")
    if not parts.hostname or (parts.scheme == "http" and parts.hostname not in _LOOPBACK):
        raise ValueError(f"expected an encrypted address (https://), found: {text}")
    return parts


_PARSERS: Mapping[str, Callable[[str], RemoteSource]] = {
    "hf": _parse_hub,
    "https": _parse_web,
    "http": _parse_web,
    "az": _parse_blob,
    "git+https": _parse_git,
    "git+http": _parse_git,
}


def _checked(text: str) -> str:
    parse_source(text)
    return text


def _checked_model(text: str) -> str:
    source = parse_source(text)
    if isinstance(source, HubSource) and (source.is_dataset or source.file):
        raise ValueError(f"expected a whole model, such as hf://huggyllama/llama-7b, found: {text}")
    if isinstance(source, WebSource) and not source.is_archive:
        raise ValueError(f"expected a whole model: of the web one tar file ({', '.join(ARCHIVES)}), found: {text}")
    if isinstance(source, GitSource) and source.file:
        raise ValueError(f"expected a whole model, such as git+https://host/owner/name, found: {text}")
    return text


def _checked_data(text: str) -> str:
    source = parse_source(text)
    if isinstance(source, HubSource) and not source.is_dataset:
        raise ValueError(f"expected a data set, such as hf://datasets/owner/name/file.json, found: {text}")
    if not (file_of(source) or "").endswith((".json", ".jsonl")):
        raise ValueError(f"expected one .json or .jsonl file of Alpaca rows, found: {text}")
    return text


SHA256_WORDS = "SHA-256 that the one https:// or az:// file must have; null: what its server tells of it counts."


def sha256_rule(source: str, sha256: str | None) -> list[InitErrorDetails]:
    """What is wrong with a SHA-256 beside a source."""
    if sha256 is None or isinstance(parse_source(source), WebSource | BlobSource):
        return []
    return [broken_rule(("sha256",), f"only an https:// or az:// file is compared with one, found: {source}", sha256)]


_Text = Annotated[str, Field(min_length=1, max_length=1024, pattern=patterns.PLAIN_TEXT)]
Source = Annotated[_Text, AfterValidator(_checked)]
ModelSource = Annotated[_Text, AfterValidator(_checked_model)]
DataSource = Annotated[_Text, AfterValidator(_checked_data)]
