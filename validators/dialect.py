"""From JSON Schema draft-07 to nodes: the part of the language that the models use, and nothing silently ignored.

A keyword outside the dialect that could change a verdict is a fault of the pack. All faults of a file are found in one
reading. `$ref` leads to a class of the same file (`#/definitions/…`) or to a code list in a file of its own.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from validators.ecma import PatternError
from validators.linear import LinearPattern
from validators.nodes import Array, Boolean, Node, Number, Object, Text

Schema = Mapping[str, Any]

DEFINITION: Final = "#/definitions/"
_ANNOTATIONS: Final = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "example", "examples", "definitions")
)
_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset(("enum", "pattern", "format")),
    "number": frozenset(),
    "integer": frozenset(),
    "boolean": frozenset(),
    "array": frozenset(("items", "minItems", "maxItems")),
    "object": frozenset(("properties", "required", "additionalProperties")),
}

matcher = lru_cache(maxsize=1024)(LinearPattern)
"""One automaton a pattern, whatever the number of fields that use it."""


class SchemaReader:
    """Reads one file. `faults` gathers what is wrong with it, each line with its place."""

    def __init__(self, file: str, schema: Schema, codes: Mapping[str, Schema], opaque: frozenset[str]) -> None:
        """`codes`: code list files by the name that `$ref` uses; `opaque`: definitions whose inside is not read
        (any object fits)."""
        self.faults: list[str] = []
        self._file = file
        self._schema = schema
        self._codes = codes
        self._classes: dict[str, Object] = {name: Object(name, closed=False) for name in opaque}

    def root(self) -> Object:
        """The model's root class."""
        root = Object("root")
        if self._schema.get("type") == "object":
            self._fill(root, self._schema, "#")
        else:
            self._fault("#", "the root is no object")
        return root

    def _fault(self, where: str, what: str) -> None:
        self.faults.append(f"{self._file}{where}: {what}")

    def _node(self, schema: Any, where: str) -> Node:
        if not isinstance(schema, dict):
            self._fault(where, "a schema is due")
            return Boolean()
        if "$ref" in schema:
            return self._referenced(schema["$ref"], where)
        kind = schema.get("type")
        if kind == "object":
            return self._fill(Object(where.rpartition("/")[2]), schema, where)
        self._check_keywords(schema, kind, where)
        if kind == "string":
            return self._text(schema, where)
        if kind == "array":
            high = schema.get("maxItems")
            return Array(self._node(schema.get("items"), f"{where}/items"), schema.get("minItems", 0), high)
        return Number(integer=kind == "integer") if kind in ("number", "integer") else Boolean()

    def _check_keywords(self, schema: Schema, kind: Any, where: str) -> None:
        known = _KEYWORDS.get(kind) if isinstance(kind, str) else None
        if known is None:
            self._fault(where, f"type must be one of {', '.join(_KEYWORDS)}")
            return
        for keyword in schema:
            if keyword not in known and keyword not in _ANNOTATIONS | {"type"} and not keyword.startswith("x-"):
                self._fault(where, f"keyword {keyword!r} is not supported here")

    def _referenced(self, reference: Any, where: str) -> Node:
        if isinstance(reference, str) and reference.startswith(DEFINITION):
            return self._class(reference.removeprefix(DEFINITION), where)
        found = self._codes.get(reference) if isinstance(reference, str) else None
        if found is None:
            self._fault(where, f"$ref leads nowhere: {reference!r}")
            return Boolean()
        return self._node(found, where)

    def _class(self, name: str, where: str) -> Node:
        if name not in self._classes:
            schema = self._schema.get("definitions", {}).get(name)
            if not isinstance(schema, dict):
                self._fault(where, f"$ref to an unknown definition: {name!r}")
                return Boolean()
            if schema.get("type") != "object":
                return self._node(schema, f"{DEFINITION}{name}")
            made = self._classes[name] = Object(name)  # before its fields: a class may contain itself
            self._fill(made, schema, f"{DEFINITION}{name}")
        return self._classes[name]

    def _fill(self, target: Object, schema: Schema, where: str) -> Object:
        self._check_keywords(schema, "object", where)
        properties = schema.get("properties", {})
        target.fields = {name: self._node(inner, f"{where}/{name}") for name, inner in properties.items()}
        target.required = frozenset(schema.get("required", ()))
        for name in sorted(target.required - target.fields.keys()):
            self._fault(where, f"{name!r} is required and not described")
        additional = schema.get("additionalProperties", True)
        if not isinstance(additional, bool):
            self._fault(where, "additionalProperties must be true or false")
        target.closed = additional is False
        return target

    def _text(self, schema: Schema, where: str) -> Text:
        codes, pattern, form = schema.get("enum"), schema.get("pattern"), schema.get("format")
        if codes is not None and not (codes and all(isinstance(code, str) for code in codes)):
            self._fault(where, "enum must list strings")
        if form not in (None, "date-time"):
            self._fault(where, f"format {form!r} is not supported")
        automaton = None
        if pattern is not None:
            try:
                automaton = matcher(pattern)
            except PatternError as error:
                self._fault(where, str(error))
        return Text(None if codes is None else tuple(codes), pattern, form == "date-time", automaton)
