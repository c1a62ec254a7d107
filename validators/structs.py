"""The accept path: msgspec Structs derived from the nodes. They may refuse what the model accepts, never the reverse.

Stricter on purpose: no unknown field anywhere (an open class that carries one goes to the slow path, as does an open
class of which nothing is known), no 1.0 for an integer, no number beyond 64 bits for an integer, no 29 February.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from validators.accepting import accepting_pattern
from validators.dates import STRICT, STRICT_WITHOUT_FRACTION
from validators.nodes import Array, Boolean, Node, Number, Object, Text
from validators.straight import Field, check_of, only_one

MODEL_DATE_TIME: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[\-+]\d{2}:\d{2}$"
"""The pattern that the national models give to date-times."""
_INT64: Final = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class StructMaker:
    """Makes the Struct of each class once. A type of None: the accept path cannot judge it.

    What binds a text (a pattern, a date-time) is not in its type: `pattern_of` tells it to `straight`.
    `listed`: a text that draws on a nomenclature takes the codes of its list only.
    """

    def __init__(self, listed: bool = False) -> None:
        self._made: dict[int, Any] = {}
        self._listed = listed
        self.fields: dict[int, list[Field]] = {}
        """The fields of each class that has a Struct, by the node's id."""

    def type_of(self, node: Node) -> Any:
        """What msgspec decodes a node into, or None."""
        match node:
            case Text():
                return self._text(node)
            case Number(integer):
                return _INT64 if integer else float
            case Boolean():
                return bool
            case Array():
                items = self.type_of(node.items)
                return None if items is None else _list_of(items, node.min_items, node.max_items)
            case Object():
                if id(node) not in self._made:
                    self._made[id(node)] = None  # a class that contains itself is left to the slow path
                    self._made[id(node)] = self._struct(node)
                return self._made[id(node)]

    def pattern_of(self, node: Text) -> str | None:
        """The `re` text that a decoded text must match; None: its type says all."""
        if node.codes is not None or self._takes_its_list(node):
            return None
        if node.date_time:
            return _date_time(node.pattern)
        return None if node.pattern is None else accepting_pattern(node.pattern)

    def _text(self, node: Text) -> Any:
        if self._takes_its_list(node):
            return _listed(node)
        if node.codes is not None:
            return Literal[node.codes] if node.pattern is None and not node.date_time else None
        bound = node.pattern is not None or node.date_time
        return None if bound and self.pattern_of(node) is None else str

    def _takes_its_list(self, node: Text) -> bool:
        return self._listed and node.nomenclature_codes is not None

    def _struct(self, node: Object) -> Any:
        if not node.closed and not node.fields:
            return None
        fields: dict[str, tuple[Any, bool]] = {}
        for name, inner in node.fields.items():
            required = name in node.required
            made = self.type_of(inner)
            if made is None and required:
                return None
            if made is not None:  # without it, a message that carries the field is unknown here: the slow path
                fields[name] = (made, required)
        self.fields[id(node)] = [
            Field(f"f{at}", node.fields[name], required) for at, (name, (_, required)) in enumerate(fields.items())
        ]
        return make_struct(node.name, fields)


def _listed(node: Text) -> Any:
    """The codes of the nomenclature that the schema takes too: one look into a table, whatever the pattern."""
    fitting = [
        code
        for code in sorted(node.nomenclature_codes or ())
        if (node.codes is None or code in node.codes) and (node.matcher is None or node.matcher.search(code))
    ]
    return Literal[tuple(fitting)] if fitting and not node.date_time else None


def _date_time(pattern: str | None) -> str | None:
    if pattern is None:
        return STRICT
    if pattern == MODEL_DATE_TIME:
        return STRICT_WITHOUT_FRACTION
    accepting = accepting_pattern(pattern)
    return None if accepting is None else rf"(?={accepting}){STRICT}"


def _list_of(items: Any, low: int, high: int | None) -> Any:
    if low == 0 and high is None:
        return list[items]
    return Annotated[list[items], Meta(min_length=low, max_length=high)]


def make_struct(name: str, fields: dict[str, tuple[Any, bool]]) -> Any:
    """A Struct of JSON fields `{name: (type, required)}` that knows no other. Absent is None; a null is refused."""
    renamed = {f"f{i}": field for i, field in enumerate(fields)}
    specs: list[Any] = [
        (attribute, fields[field][0]) if fields[field][1] else (attribute, fields[field][0], None)
        for attribute, field in renamed.items()
    ]
    return msgspec.defstruct(name, specs, rename=renamed, kw_only=True, forbid_unknown_fields=True, gc=False)


class _Case:
    """A use case of the accept path. `matches(message)`: whether its header is there where due, and its texts match."""

    def __init__(self, model: str, due: list[str], parts: list[Field], maker: StructMaker) -> None:
        self.model, self.alone = model, (model,)
        self._due, self._parts, self._maker = due, parts, maker

    @cached_property
    def matches(self) -> Callable[[Any], bool]:
        return check_of(self._due, self._parts, self._maker.fields, self._maker.pattern_of)


class Acceptor:
    """One decoder for the raw content of a message, whatever its use cases."""

    def __init__(self, header: Object, use_cases: dict[str, tuple[str, bool, Object]], listed: bool = False) -> None:
        """`use_cases`: model name, with header or not, root class; by root element. `listed`: as `StructMaker`."""
        maker = StructMaker(listed)
        made_header = {name: maker.type_of(node) for name, node in header.fields.items()}
        usable = all(made_header[name] is not None for name in header.required)
        fields = {name: (made, False) for name, made in made_header.items() if made is not None}
        parts = [Field(f"f{at}", header.fields[name], False) for at, name in enumerate(fields)]
        due = [f"f{at}" for at, name in enumerate(fields) if name in header.required]
        cases: dict[str, _Case] = {}
        for root, (model, headed, node) in use_cases.items():
            made = maker.type_of(node)
            if made is not None and root not in fields and (usable or not headed):
                attribute = f"f{len(fields)}"
                whole = [*parts, Field(attribute, node, True)]
                cases[attribute] = _Case(model, due if headed else [], whole, maker)
                fields[root] = (made, False)
        wrapped = make_struct("Message", fields)
        for name in ("message", "embeddedJsonContent", "jsonContent"):
            wrapped = make_struct(name, {name: (wrapped, True)})
        self._decode = msgspec.json.Decoder(Annotated[list[wrapped], Meta(min_length=1)]).decode  # type: ignore[valid-type]
        self._case_of = only_one(cases)

    def accept(self, content: bytes | msgspec.Raw) -> tuple[str, ...] | None:
        """The models of the content's elements, or None: the slow path is to judge. Raises nothing."""
        try:
            # UTF-8 is checked by the decoder, in every name and text: no field is unknown, so none is skipped here.
            elements = self._decode(content)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        models: tuple[str, ...] = ()
        for element in elements:
            message = element.f0.f0.f0
            case = self._case_of(message)
            if case is None or not case.matches(message):
                return None
            models = (*models, case.model) if models else case.alone
        return models
