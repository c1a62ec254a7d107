"""What is checked of a message once it is decoded, as straight functions made from the nodes: no walk, no loop over
fields. Which use case it is; and the texts that a pattern or a date-time binds.

Called by the decoder, a pattern costs twice as much as called from here, and the date-times of a message are checked in
one go.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from validators.dates import STRICT_WITHOUT_FRACTION
from validators.nodes import Array, Node, Object, Text

TextPattern = Callable[[Text], str | None]
"""The `re` text that a Text must match, None where nothing binds it."""

_ONE: Final = STRICT_WITHOUT_FRACTION.removeprefix(r"\A").removesuffix(r"\Z")
_ALL: Final = re.compile(rf"{_ONE}(?:\n{_ONE})*").fullmatch
_LENGTH: Final = len("2024-01-31T12:00:00+01:00\n")


class Field(NamedTuple):
    """A field of a Struct: its attribute, what is in it, whether it is always there."""

    attribute: str
    node: Node
    required: bool


MAX_LINES: Final = 5_000
"""The national models' longest has some hundred; a class used in many places is written out in each."""

Fields = Mapping[int, list[Field]]
"""The fields of each class that has a Struct, by the node's id."""


def are_date_times(texts: list[str]) -> bool:
    """Whether each is a date-time of the national models' form; one line each, so a text of two lines tells by the
    length."""
    lines = "\n".join(texts)
    return not texts or (len(lines) + 1 == _LENGTH * len(texts) and _ALL(lines) is not None)


def check_of(
    due: Iterable[str], parts: Iterable[Field], fields: Fields, pattern_of: TextPattern
) -> Callable[[Any], bool]:
    """A function of a Struct: whether the attributes `due` are there and all texts in `parts` match.

    False for everything where a function would be too long or too deep for Python: the slow path judges then.
    """
    writer = _Writer(fields, pattern_of)
    try:
        for attribute in due:
            writer.add(1, f"if value.{attribute} is None: return False")
        writer.add(1, "dates = []")
        writer.add(1, "date = dates.append")
        writer.lines("value", parts, 1)
        writer.add(1, "return are_date_times(dates)")
        return _made(writer.source, writer.names)
    except (_TooLong, SyntaxError):
        return lambda value: False


def only_one(choices: Mapping[str, object]) -> Callable[[Any], Any]:
    """A function of a Struct: the choice whose attribute is the only one there, else None."""
    lines, names = [" found = None"], {}
    for number, (attribute, choice) in enumerate(choices.items()):
        names[f"choice_{number}"] = choice
        again = "  if found is not None: return None\n" if number else ""
        lines.append(f" if value.{attribute} is not None:\n{again}  found = choice_{number}")
    return _made([*lines, " return found"], names)


def _made(lines: Iterable[str], names: dict[str, Any]) -> Callable[[Any], Any]:
    exec("\n".join(["def made(value):", *lines]), names)
    made: Callable[[Any], Any] = names["made"]
    return made


class _TooLong(Exception):
    """Classes within classes within classes."""


class _Writer:
    def __init__(self, fields: Fields, pattern_of: TextPattern) -> None:
        self.source: list[str] = []
        self.names: dict[str, Any] = {"are_date_times": are_date_times}
        self._fields, self._pattern_of = fields, pattern_of
        self._bound: dict[int, bool] = {}
        self._matchers: dict[str, str] = {}
        self._variables = 0

    def lines(self, variable: str, parts: Iterable[Field], depth: int) -> None:
        """The checks of a Struct in `variable`."""
        for field in parts:
            if self._is_bound(field.node):
                inner = self._variable()
                self.add(depth, f"{inner} = {variable}.{field.attribute}")
                if not field.required:
                    self.add(depth, f"if {inner} is not None:")
                self._value(inner, field.node, depth + (not field.required))

    def _value(self, variable: str, node: Node, depth: int) -> None:
        match node:
            case Text():
                pattern = self._pattern_of(node)
                if pattern == STRICT_WITHOUT_FRACTION:
                    self.add(depth, f"date({variable})")
                elif pattern is not None:
                    self.add(depth, f"if {self._matcher(pattern)}({variable}) is None: return False")
            case Array(items):
                item = self._variable()
                self.add(depth, f"for {item} in {variable}:")
                self._value(item, items, depth + 1)
            case Object():
                self.lines(variable, self._fields[id(node)], depth)

    def _is_bound(self, node: Node) -> bool:
        """Whether there is anything to check in it."""
        if isinstance(node, Array):
            return self._is_bound(node.items)
        if isinstance(node, Text):
            return self._pattern_of(node) is not None
        if not isinstance(node, Object):
            return False
        if id(node) not in self._bound:
            self._bound[id(node)] = any(self._is_bound(field.node) for field in self._fields[id(node)])
        return self._bound[id(node)]

    def _matcher(self, pattern: str) -> str:
        name = self._matchers.setdefault(pattern, f"match_{len(self._matchers)}")
        self.names[name] = re.compile(pattern.removeprefix(r"\A")).match  # which is at the start anyway
        return name

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def add(self, depth: int, line: str) -> None:
        """One line of the function."""
        if len(self.source) >= MAX_LINES:
            raise _TooLong
        self.source.append(f"{' ' * depth}{line}")
