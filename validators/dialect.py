"""From JSON Schema draft-07 to nodes: the part of the language that the models use, and nothing silently ignored.

A keyword outside the dialect that could change a verdict is a fault of the pack. All faults of a file are found in one
reading. `$ref` leads to a class of the same file (`#/definitions/…`) or to a code list in a file of its own. The one
annotation that is read is `x-nomenclature`, the name of the nomenclature that a text draws on.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from validators.ecma import PatternError
from validators.linear import LinearPattern
from validators.nodes import Array, Boolean, Node, Number, Object, Text

Schema = Mapping[str, Any]

DEFINITION: Final = "#/definitions/"
NOMENCLATURE: Final = "x-nomenclature"
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

    def __init__(
        self,
        file: str,
        schema: Schema,
        nomenclatures: Mapping[str, frozenset[str]],
        codes: Mapping[str, Text] | None = None,
        opaque: frozenset[str] = frozenset(),
    ) -> None:
        """`nomenclatures`: the codes of each; `codes`: code lists by the file name that `$ref` uses; `opaque`:
        definitions whose inside is not read (any object fits)."""
        self.faults: list[str] = []
        self._file = file
        self._schema = schema
        self._nomenclatures = nomenclatures
        self._codes = codes or {}
        self._open: set[str] = set()
        self._classes: dict[str, Object] = {name: Object(name, closed=False) for name in opaque}

    def root(self) -> Object:
        """The model's root class."""
        root = Object("root")
        if self._schema.get("type") == "object":
            self._fill(root, self._schema, "#")
        else:
            self._fault("#", "the root is no object")
        return root

    def code_list(self) -> Text:
        """The file as a code list."""
        self._check_keywords(self._schema, "string", "#")
        if self._schema.get("type") != "string" or "enum" not in self._schema:
            self._fault("#", "a code list is a string with an enum")
        return self._text(self._schema, "#")

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
            low, high = self._limit(schema.get("minItems", 0), where), schema.get("maxItems")
            high = None if high is None else self._limit(high, where)
            if high is not None and high < low:
                self._fault(where, "maxItems is below minItems")
            return Array(self._node(schema.get("items"), f"{where}/items"), low, high)
        return Number(integer=kind == "integer") if kind in ("number", "integer") else Boolean()

    def _limit(self, value: Any, where: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self._fault(where, "minItems and maxItems must be whole numbers, 0 or more")
        return 0

    def _check_keywords(self, schema: Schema, kind: Any, where: str) -> None:
        known = _KEYWORDS.get(kind) if isinstance(kind, str) else None
        if known is None:
            self._fault(where, f"type must be one of {', '.join(_KEYWORDS)}")
            return
        for keyword in schema:
            misplaced = keyword == NOMENCLATURE and kind != "string"
            plain = keyword in known or keyword in _ANNOTATIONS or keyword == "type" or keyword.startswith("x-")
            if misplaced or not plain:
                self._fault(where, f"keyword {keyword!r} is not supported here")
            elif keyword in known and schema[keyword] is None:
                self._fault(where, f"{keyword} is null")

    def _referenced(self, reference: Any, where: str) -> Node:
        if isinstance(reference, str) and reference.startswith(DEFINITION):
            return self._class(reference.removeprefix(DEFINITION), where)
        found = self._codes.get(reference) if isinstance(reference, str) else None
        if found is None:
            self._fault(where, f"$ref leads nowhere: {reference!r}")
            return Boolean()
        return found

    def _class(self, name: str, where: str) -> Node:
        if name not in self._classes:
            definitions = self._schema.get("definitions")
            schema = definitions.get(name) if isinstance(definitions, dict) else None
            if not isinstance(schema, dict):
                self._fault(where, f"$ref to an unknown definition: {name!r}")
                return Boolean()
            if schema.get("type") != "object":
                return self._unnamed(name, schema)
            made = self._classes[name] = Object(name)  # before its fields: a class may contain itself
            self._fill(made, schema, f"{DEFINITION}{name}")
        return self._classes[name]

    def _unnamed(self, name: str, schema: Schema) -> Node:
        """A definition that is no class: each place has its own node."""
        where = f"{DEFINITION}{name}"
        if name in self._open:
            self._fault(where, "leads to itself")
            return Boolean()
        self._open.add(name)
        node = self._node(schema, where)
        self._open.remove(name)
        return node

    def _fill(self, target: Object, schema: Schema, where: str) -> Object:
        self._check_keywords(schema, "object", where)
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict):
            self._fault(where, "properties must be an object")
            properties = {}
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            self._fault(where, "required must list strings")
            required = []
        target.fields = {name: self._node(inner, f"{where}/{name}") for name, inner in properties.items()}
        target.required = frozenset(required)
        for name in sorted(target.required - target.fields.keys()):
            self._fault(where, f"{name!r} is required and not described")
        additional = schema.get("additionalProperties", True)
        if not isinstance(additional, bool):
            self._fault(where, "additionalProperties must be true or false")
        target.closed = additional is False
        return target

    def _text(self, schema: Schema, where: str) -> Text:
        codes, pattern, form = schema.get("enum"), schema.get("pattern"), schema.get("format")
        if codes is not None and not (isinstance(codes, list) and codes and all(isinstance(c, str) for c in codes)):
            self._fault(where, "enum must list strings")
            codes = None
        if form not in (None, "date-time"):
            self._fault(where, f"format {form!r} is not supported")
        automaton = None
        if pattern is not None and not isinstance(pattern, str):
            self._fault(where, "pattern must be a string")
        elif pattern is not None:
            try:
                automaton = matcher(pattern)
            except PatternError as error:
                self._fault(where, str(error))
        listed = None if codes is None else tuple(codes)
        name, warned = self._nomenclature(schema.get(NOMENCLATURE), listed, where)
        return Text(listed, pattern, form == "date-time", automaton, name, warned)

    def _nomenclature(
        self, name: Any, listed: tuple[str, ...] | None, where: str
    ) -> tuple[str | None, frozenset[str] | None]:
        """Its name, and its codes where `listed` lets others pass."""
        if name is None:
            return None, None
        known = self._nomenclatures.get(name) if isinstance(name, str) else None
        if known is None:
            self._fault(where, f"{NOMENCLATURE} leads nowhere: {name!r}")
            return None, None
        if listed is None:
            return name, known
        # Enumerations carry blanks that the published lists lost ("TSU "): the code is the same.
        same = known | {code for code in listed if code.strip() in known}
        return name, None if same.issuperset(listed) else same
