"""What is wrong with rule files, in words: file:line:column, the rule, what, and the cure."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from hub.marked_yaml import Document, Path, Place
from hub.rules.model import Lines


class Findings:
    """Gathers what is found in several files, in any order."""

    def __init__(self) -> None:
        self._found: list[tuple[str, Place, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> list[str]:
        """One line each, in the order of files and places."""
        return [f"{file}:{line}:{column} {what}" for file, (line, column), what in sorted(self._found)]

    def add(self, file: str, place: Place, what: str) -> None:
        self._found.append((file, place, what))

    def add_at(self, file: str, document: Document, path: Path, what: str, *, key: bool = False) -> None:
        """A finding at a path of a document, headed by the rule, team or agent that it lies in."""
        head = _head(document.value, path)
        self.add(file, document.place(path, key=key), f"{head}: {what}" if head else what)

    def add_invalid(self, file: str, document: Document, model: type[Lines], details: Any) -> None:
        """One of pydantic's `ErrorDetails` of `document` read as `model`."""
        path, kind = details["loc"], details["type"]
        is_key = kind == "extra_forbidden"
        if path[-1:] == ("[key]",):
            path, is_key = path[:-1], True
        if kind == "extra_forbidden":
            what = f'unknown key "{path[-1]}"{nearest(str(path[-1]), _keys(model, path[:-1]))}'
        elif kind == "missing":
            what = f'the key "{path[-1]}" is missing'
        elif len(path) not in (0, 2) and not is_key:
            what = f"{_name_of(path)}: {_what(details)}"
        else:
            what = _what(details)
        self.add_at(file, document, path, what, key=is_key)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the known one that was probably meant, else all of them."""
    names = sorted(known)
    if close := difflib.get_close_matches(word, names, n=1):
        return f', did you mean "{close[0]}"?'
    return f"; there are {', '.join(names)}" if names else ""


def _what(details: Any) -> str:
    value = details["input"]
    shown = f'"{value:.40}"' if isinstance(value, str) else "nothing" if value is None else str(value)[:40]
    match details["type"]:
        case "string_type":
            return f"must be text, not {shown}: put it in quotes"
        case "string_pattern_mismatch":
            return f"{shown} must be 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit"
        case "int_type":
            return f"must be a whole number, not {shown}"
        case "too_short":
            return "is empty: name at least one"
        case "list_type":
            return f"must be a list, not {shown}"
        case "dict_type" | "model_type":
            return f"must be keys with values, not {shown}"
        case "literal_error":
            return f"{shown} is none of {details['ctx']['expected']}"
    message = str(details["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _keys(model: type[Lines], path: Path) -> Iterator[str]:
    """The keys that may stand at `path` of a file of this model."""
    inner: type[Lines] | None = model
    for part in path:
        if isinstance(part, str) and inner is not None and part in inner.model_fields:
            inner = _line_model(inner.model_fields[part].annotation)
    if inner is not None:
        yield from inner.model_fields


def _line_model(annotation: Any) -> type[Lines] | None:
    """The model inside `list[Model]` or `dict[str, Model]`."""
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, type) and issubclass(argument, Lines):
            return argument
    return None


def _name_of(path: Path) -> str:
    return str(next((part for part in reversed(path) if isinstance(part, str)), path[-1]))


def _head(value: Any, path: Path) -> str:
    """How people call the line that `path` lies in: by its id, else its number; by a team's or an agent's name."""
    if len(path) < 2:
        return ""
    if isinstance(path[1], str):
        return path[1]
    line = value[path[0]][path[1]]
    name = line.get("id") if isinstance(line, dict) else None
    return name if isinstance(name, str) else f"{str(path[0]).removesuffix('s')} {path[1] + 1}"
