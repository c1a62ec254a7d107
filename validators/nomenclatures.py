"""Nomenclatures: published code lists that fields draw on. A code outside its list, where the schema lets it pass, is a
warning and never a refusal."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from validators.faults import Fault, field_path
from validators.nodes import Array, Node, Object, Text

RULE: Final = "nomenclature"
"""The rule of these warnings; their `expected` is the list's name."""
MAX_WARNINGS: Final = 100
"""How many are listed for one message: the search ends there."""

_BEFORE_THE_FIELD: Final = re.compile(r"^\$(\.content\[\d+\]\.jsonContent\.embeddedJsonContent\.message)?\.?|\[\d+\]")


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One code and what it stands for. A published list may have one code under several labels."""

    code: str
    label: str


class Nomenclature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a pack's folder `nomenclatures`, named after the list. `version`: "" where none is published."""

    nomenclature: str
    codes: tuple[Code, ...]
    version: str = ""


class Watch:
    """Which fields of some models draw on a list, so that a valid value is walked only where one may be."""

    def __init__(self, roots: Iterable[Object]) -> None:
        classes: dict[int, Object] = {}
        for root in roots:
            _gather(root, classes)
        self._fields: dict[int, list[tuple[str, str, Node]]] = {}
        """By class: each field that leads to such a field, with its piece of path."""
        before = -1
        while before < len(self._fields):  # classes may contain themselves
            before = len(self._fields)
            for key, found in classes.items():
                leading = [(n, field_path("", n), inner) for n, inner in found.fields.items() if self._leads(inner)]
                if leading:
                    self._fields[key] = leading

    def warnings(self, value: Any, node: Node, path: str, found: list[Fault]) -> None:
        """Add to `found` the warnings about a parsed value of the model `node`, up to `MAX_WARNINGS`. What is not of
        the model's kinds is passed over: that is a fault."""
        if len(found) >= MAX_WARNINGS:
            return
        if isinstance(node, Text):
            if node.nomenclature_codes is not None and isinstance(value, str) and value not in node.nomenclature_codes:
                found.append(Fault(path, RULE, node.nomenclature or "", "string"))
        elif isinstance(node, Array):
            for index, item in enumerate(value if isinstance(value, list) else ()):
                self.warnings(item, node.items, f"{path}[{index}]", found)
        elif isinstance(value, dict):
            for name, piece, inner in self._fields.get(id(node), ()):
                if name in value:
                    self.warnings(value[name], inner, path + piece, found)

    def _leads(self, node: Node) -> bool:
        if isinstance(node, Array):
            return self._leads(node.items)
        return id(node) in self._fields if isinstance(node, Object) else _draws(node)


def _draws(node: Node) -> bool:
    return isinstance(node, Text) and node.nomenclature_codes is not None


def _gather(node: Node, classes: dict[int, Object]) -> None:
    if isinstance(node, Array):
        _gather(node.items, classes)
    elif isinstance(node, Object) and id(node) not in classes:
        classes[id(node)] = node
        for inner in node.fields.values():
            _gather(inner, classes)


def field_of(warning: Fault) -> str:
    """The field that a warning is about, for counting: its path below the message, without indices
    (`createCase.qualification.whatsHappen.code`)."""
    return _BEFORE_THE_FIELD.sub("", warning.path)
