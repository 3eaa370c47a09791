"""A YAML or JSON text as a tree whose every value knows its line. Knows nothing of mappings.

The mapping's reader calls it, so that every problem can be told with the line on which it stands.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lark
import yaml

MAX_VALUES: Final = 500_000
"""Values a document may hold, aliases counted as often as they are used; Microsoft's largest schemas hold a tenth."""
MAX_DEPTH: Final = 100
"""How deep lists and keys may nest; Microsoft's deepest expression trees stay under half of it."""

_YAML_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PLAIN_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,999}")
_PLAIN_FLOAT: Final = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")
_JSON_GRAMMAR: Final = r"""
    ?value: object | array | STRING -> string | ATOM -> atom
    object: "{" [pair ("," pair)*] "}"
    pair: STRING ":" value
    array: "[" [value ("," value)*] "]"
    STRING: /"(?:[^"\\]|\\.)*"/
    ATOM: /[-+.0-9a-zA-Z]+/
    %ignore /[ \t\r\n]+/
"""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file: where it stands, what it is about, and what to do.

    `attribute` names the target attribute, filter clause or key concerned; empty when the file as a whole is meant.
    """

    file: Path
    line: int
    attribute: str
    message: str

    def __str__(self) -> str:
        about = f"{self.attribute}: " if self.attribute else ""
        return f"{self.file}:{self.line}: {about}{self.message}"


class DocumentError(Exception):
    """Raised when a text cannot be read as YAML or JSON at all; `line` says where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Node:
    """One value of a document.

    `value` is a scalar, a list of nodes, or a dict from key to node; `line` is 1-based, and for a value under a key
    it is the key's line.
    """

    value: Any
    line: int

    def trail(self, location: Sequence[str | int]) -> list[Node]:
        """Give this node and the nodes on the way to `location`, as far as there are any."""
        trail = [self]
        for part in location:
            inner = _child(trail[-1], part)
            if inner is None:
                break
            trail.append(inner)
        return trail

    def line_of(self, location: Sequence[str | int]) -> int:
        """Give the line of the deepest value that lies on the way to `location`."""
        return self.trail(location)[-1].line

    def plain(self) -> Any:
        """Give the value as plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_document(text: str, *, is_json: bool) -> tuple[Node, tuple[tuple[str, int], ...]]:
    """Read `text` and give its tree, and the keys that stand twice in one place with their lines.

    Raises `DocumentError` when the text is neither, is too large or nests too deep. YAML scalars keep the text they
    were written with where YAML would make a date of them, or a number that is written otherwise.
    """
    doubled: list[tuple[str, int]] = []
    root = _read_json(text, doubled) if is_json else _read_yaml(text, doubled)
    return root, tuple(doubled)


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(part, str):
        return node.value.get(part)
    if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def _gather(pairs: Iterator[tuple[str, int, Node]], doubled: list[tuple[str, int]]) -> dict[str, Node]:
    """Collect keys with the line of the key; of a doubled key the first counts."""
    members: dict[str, Node] = {}
    for key, line, node in pairs:
        if key in members:
            doubled.append((key, line))
        else:
            members[key] = Node(node.value, line)
    return members


class _JsonTree(lark.Transformer[Any, Node]):
    """Builds nodes from the parse of a JSON text that is known to be well-formed."""

    def __init__(self, doubled: list[tuple[str, int]]) -> None:
        super().__init__()
        self._doubled = doubled

    def string(self, items: list[Any]) -> Node:
        return Node(json.loads(items[0]), items[0].line)

    atom = string

    def pair(self, items: list[Any]) -> tuple[str, int, Node]:
        return json.loads(items[0]), items[0].line, items[1]

    @lark.v_args(meta=True)
    def array(self, meta: Any, items: list[Any]) -> Node:
        return Node([item for item in items if item is not None], meta.line)

    @lark.v_args(meta=True)
    def object(self, meta: Any, items: list[Any]) -> Node:
        return Node(_gather((item for item in items if item is not None), self._doubled), meta.line)


@functools.cache
def _json_parser() -> lark.Lark:
    return lark.Lark(_JSON_GRAMMAR, parser="lalr", start="value", propagate_positions=True)


def _read_json(text: str, doubled: list[tuple[str, int]]) -> Node:
    try:
        _measure(json.loads(text))
    except json.JSONDecodeError as error:
        raise DocumentError(error.lineno, f"this is not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise DocumentError(1, _too_large()) from error
    return _JsonTree(doubled).transform(_json_parser().parse(text))


def _read_yaml(text: str, doubled: list[tuple[str, int]]) -> Node:
    try:
        root = yaml.compose(text, Loader=_YAML_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentError(mark.line + 1 if mark else 1, f"this is not YAML: {problem}") from error
    if root is None:
        return Node(None, 1)
    _measure(root)
    return _from_yaml(root, doubled)


def _from_yaml(node: yaml.Node, doubled: list[tuple[str, int]]) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        pairs = ((str(key.value), key.start_mark.line + 1, _from_yaml(value, doubled)) for key, value in node.value)
        return Node(_gather(pairs, doubled), line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_from_yaml(item, doubled) for item in node.value], line)
    return Node(_scalar(node), line)


def _scalar(node: yaml.Node) -> str | bool | int | float | None:
    """Give null, booleans and plainly written numbers as such, and everything else as it is written."""
    kind, text = str(node.tag).rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind == "int" and _PLAIN_INTEGER.fullmatch(text):
        return int(text)
    if kind == "float" and _PLAIN_FLOAT.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return text


def _measure(root: Any) -> None:
    """Refuse a document that is too large or too deep, counting what aliases repeat. Raises `DocumentError`."""
    waiting, seen = [(root, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MAX_VALUES or depth > MAX_DEPTH:
            raise DocumentError(1, _too_large())
        if isinstance(value, yaml.Node):
            value = value.value
        if isinstance(value, dict):
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            inner = (part for item in value for part in (item if isinstance(item, tuple) else (item,)))
            waiting.extend((part, depth + 1) for part in inner)


def _too_large() -> str:
    return (
        f"the file holds more than {MAX_VALUES:,} values or nests deeper than {MAX_DEPTH} levels, which no mapping "
        "needs. Check that it is the right file"
    )
