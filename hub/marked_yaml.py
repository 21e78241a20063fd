"""YAML read as plain values, each with its place in the text, so that an error can name line and column.

Scalars are resolved by the YAML 1.2 core schema (`on`, `no` and `18:00` are text, unlike in YAML 1.1), keys are always
text, and what YAML lets pass in silence is refused: duplicate keys, unknown tags, nesting and aliases without end.
"""

import re
from collections.abc import Iterable
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1."""

MAX_CHARACTERS = 4_194_304
MAX_DEPTH = 32
MAX_VALUES = 500_000
"""Counted after aliases are expanded, so that a few lines of aliases cannot fill the memory."""

TAB_IN_FRONT = re.compile(r" *\t")
FULL_WIDTH_COLON = re.compile(r"[ {-]*[\w.-]+：")
CORE = "tag:yaml.org,2002:"


class Malformed(Exception):
    """The text is no YAML that the hub reads; `line` and `column` say where, `what` says why."""

    def __init__(self, what: str, place: Place) -> None:
        super().__init__(what)
        self.what = what
        self.line, self.column = place


class Document:
    """What a text says: `value`, and where each part of it stands."""

    def __init__(self, value: Any, values: dict[Path, Place], keys: dict[Path, Place]) -> None:
        self.value = value
        self._values = values
        self._keys = keys

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` begins (or its key); for a path that is not there, the nearest part above it."""
        marks = self._keys if key else self._values
        while path and path not in marks:
            path = path[:-1]
        return marks.get(path) or self._values[()]


def read(text: str) -> Document:
    """The one document in `text`; an empty text is None. Raises Malformed."""
    if len(text) > MAX_CHARACTERS:
        raise Malformed(f"{len(text)} characters exceed the limit of {MAX_CHARACTERS}", (1, 1))
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = [found.line for found in (error.context_mark, error.problem_mark) if found]
        what = _slip(text, lines) or ", ".join(part for part in (error.context, error.problem) if part)
        raise Malformed(what, (mark.line + 1, mark.column + 1) if mark else (1, 1)) from None
    except yaml.YAMLError as error:
        raise Malformed(str(error).partition("\n")[0], (1, 1)) from None
    if node is None:
        return Document(None, {(): (1, 1)}, {})
    reading = _Reading()
    return Document(reading.value(node, ()), reading.values, reading.keys)


def _slip(text: str, lines: Iterable[int]) -> str:
    """What was probably meant in the lines (from 0) at which the parser has given up; empty: nobody knows."""
    written = text.splitlines()
    near = [line for at in lines for line in written[max(0, at - 1) : at + 1]]
    if any(TAB_IN_FRONT.match(line) for line in near):
        return "a tab in front of a line: YAML wants spaces there"
    if any(FULL_WIDTH_COLON.match(line) for line in near):
        return 'a full-width "：" behind a key: write ":" and a blank'
    return ""


def _check_depth(text: str) -> None:
    """Before composing: that recurses in C, and thousands of brackets would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            if depth > MAX_DEPTH:
                mark = event.start_mark
                place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
                raise Malformed(f"nested deeper than {MAX_DEPTH} levels", place)
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the resolver of the YAML 1.2 core schema in place of YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
     list("-+.0123456789")),
):  # fmt: skip
    _Loader.add_implicit_resolver(CORE + _tag, re.compile(f"^(?:{_pattern})$"), _first)


class _Reading:
    """One walk over a node tree."""

    def __init__(self) -> None:
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}

    def value(self, node: Node, path: Path) -> Any:
        place = self.values[path] = _place(node)
        if len(path) > MAX_DEPTH:  # by aliases
            raise Malformed(f"nested deeper than {MAX_DEPTH} levels", place)
        if len(self.values) > MAX_VALUES:
            raise Malformed(f"more than {MAX_VALUES} values, aliases counted each time", place)
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, path)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return _scalar(node)
        raise Malformed(f"the tag {_short(node.tag)} is not known here: leave it out", place)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node)
            if not isinstance(key_node, ScalarNode):
                raise Malformed("a key must be a single word or text", place)
            key = key_node.value
            if key in mapping:
                raise Malformed(f'duplicate key "{key}", first in line {self.keys[*path, key][0]}', place)
            self.keys[*path, key] = place
            mapping[key] = self.value(value_node, (*path, key))
        return mapping


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    try:
        match node.tag.removeprefix(CORE):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                # int() knows 0o and 0x, but refuses the leading zeros that the core schema takes as decimal.
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise Malformed(f'"{text:.40}" is not a value of the kind {_short(node.tag)}', _place(node)) from None
    raise Malformed(f"the tag {_short(node.tag)} is not known here: leave it out", _place(node))


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _short(tag: str) -> str:
    return tag.replace(CORE, "!!")
