"""YAML text to plain Python values, with the place of every key and value, and none of YAML 1.1's surprises.

Plain scalars follow the core schema of YAML 1.2: `NO`, `on` and `12:30` are text, `2e-5` is a number. Duplicate keys,
tags, merge keys, alias explosions and over-long files are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from runs.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 20

Place = tuple[str | int, ...]

_TOO_MUCH = "nested too deeply, or aliases multiply beyond any run file"

_SCALARS = (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,14}"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
)
_STANDARD = "tag:yaml.org,2002:"
_KINDS = frozenset(["map", "seq", "str", *(kind for kind, _ in _SCALARS)])


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars of YAML 1.2's core schema; we build the values from its nodes ourselves."""

    # Replaced, not extended: the inherited table holds the rules of YAML 1.1.
    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML reads this class attribute)
        None: [(_STANDARD + kind, re.compile(f"(?:{pattern})\\Z")) for kind, pattern in _SCALARS]
    }


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A YAML file's values, where each of them is, and what was wrong with its form.

    Attributes:
        values: Plain dicts, lists and scalars; None when nothing could be read.
        keys: Position of each mapping key (and list item), by its place.
        found: Position of each value, by its place.
        problems: Faults of form: duplicate keys, tags, keys that are no text.
    """

    values: Any = None
    keys: dict[Place, Position] = field(default_factory=dict)
    found: dict[Place, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _nodes: int = 0

    def position(self, place: Place, *, of_key: bool) -> Position | None:
        """Give where a place is, or the nearest thing around it that is in the file."""
        positions = self.keys if of_key else self.found
        for length in range(len(place), -1, -1):
            if place[:length] in positions:
                return positions[place[:length]]
        return self.found.get(())

    def read(self, node: yaml.Node, place: Place, above: tuple[yaml.Node, ...] = ()) -> Any:  # noqa: ANN401 (YAML)
        """Build the value of a node and of all below it, noting positions and problems."""
        self._nodes += 1
        if self._nodes > MAX_NODES or len(above) > MAX_DEPTH or node in above:
            raise _TooMuchError(_position(node))
        self.found[place] = _position(node)
        if node.tag.removeprefix(_STANDARD) not in _KINDS:
            self.refuse(place, f"tags are not supported, found: {node.tag}", node)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, place, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return self._read_list(node, place, (*above, node))
        return _scalar(node)

    def _read_mapping(self, node: yaml.MappingNode, place: Place, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._read_key(key_node, place, values)
            if key is not None:
                self.keys[*place, key] = _position(key_node)
                values[key] = self.read(value_node, (*place, key), above)
        return values

    def _read_key(self, node: yaml.Node, place: Place, known: dict[str, Any]) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(place, "expected a word as the key, found a list or a mapping", node)
            return None
        key = node.value
        if key == "<<":
            self.refuse(place, "merge keys are not supported, found: <<", node)
            return None
        if key in known:
            first = self.keys[*place, key]
            self.refuse((*place, key), f"given twice; it is already on line {first.line}", node)
            return None
        return str(key)

    def _read_list(self, node: yaml.SequenceNode, place: Place, above: tuple[yaml.Node, ...]) -> list[Any]:
        for index, item in enumerate(node.value):
            self.keys[*place, index] = _position(item)
        return [self.read(item, (*place, index), above) for index, item in enumerate(node.value)]

    def refuse(self, place: Place, message: str, node: yaml.Node) -> None:
        """Note a problem at a node."""
        position = _position(node)
        self.problems.append(Problem(path_words(place), message, position.line, position.column))


class _TooMuchError(Exception):
    """More nodes, or deeper ones, than any run file has: aliases that multiply, or one that contains itself."""

    def __init__(self, position: Position) -> None:
        super().__init__(position)
        self.position = position


def read_yaml(content: bytes) -> Document:
    """Read one YAML document; what is wrong with its form is in `problems`, never raised."""
    document = Document()
    if len(content) > MAX_BYTES:
        document.problems.append(Problem("", f"expected at most {MAX_BYTES:,} bytes, found: {len(content):,}"))
        return document
    try:
        text = content.decode("utf-8")
        _refuse_bomb(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            document.values = document.read(node, ())
    except UnicodeDecodeError as error:
        document.problems.append(Problem("", f"expected UTF-8 text, found another byte at offset: {error.start}"))
    except yaml.YAMLError as error:
        document.problems.append(_malformed(error))
    except _TooMuchError as error:
        document.values = None
        document.problems.append(Problem("", _TOO_MUCH, error.position.line, error.position.column))
    except RecursionError:
        document.problems.append(Problem("", _TOO_MUCH))
    return document


def _refuse_bomb(text: str) -> None:
    """Refuse a document by its events: to make nodes of a million of them, or of a thousand levels, takes minutes.

    Raises:
        _TooMuchError: It has more nodes, or deeper ones, than any run file.
    """
    nodes = depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            mark = event.start_mark
            raise _TooMuchError(Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1))


def path_words(place: Place) -> str:
    """Write a place as the user would: `sync[0].from`."""
    return "".join(_path_pieces(place)).lstrip(".")


def _path_pieces(place: Place) -> Iterator[str]:
    for part in place:
        yield f"[{part}]" if isinstance(part, int) else f".{part}"


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    match node.tag.removeprefix(_STANDARD):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
        case "float":
            return _number(text)
        case _:
            return text


def _number(text: str) -> float:
    if text.lower().endswith(".inf"):
        return -math.inf if text.startswith("-") else math.inf
    return math.nan if text.lower() == ".nan" else float(text)


def _malformed(error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        return Problem("", f"not YAML: {what}", mark.line + 1, mark.column + 1)
    return Problem("", f"not YAML: {error}".splitlines()[0])
