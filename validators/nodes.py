"""A model as a tree of nodes, read once from its JSON Schema (`dialect`): what the Structs and the fault collection
derive from. Field order is the schema's property order. A class that occurs in several places is one shared node."""

from dataclasses import dataclass, field

from validators.linear import LinearPattern


@dataclass(frozen=True, eq=False)
class Text:
    """A string; `codes` when it is drawn from a closed list."""

    codes: tuple[str, ...] | None = None
    pattern: str | None = None
    date_time: bool = False
    matcher: LinearPattern | None = None
    """The compiled `pattern`."""
    nomenclature: str | None = None
    """The nomenclature that the field draws on."""
    nomenclature_codes: frozenset[str] | None = None
    """Its codes, where the schema lets others pass: a text that is none of them is a warning. None: no warning here."""


@dataclass(frozen=True, eq=False)
class Number:
    """A number, `integer` when it must be whole (1.0 is whole)."""

    integer: bool = False


@dataclass(frozen=True, eq=False)
class Boolean:
    """true or false."""


@dataclass(frozen=True, eq=False)
class Array:
    """A repeated field."""

    items: "Node"
    min_items: int = 0
    max_items: int | None = None


@dataclass(eq=False)
class Object:
    """A class. `closed`: fields that it does not list are refused."""

    name: str
    fields: dict[str, "Node"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    closed: bool = True


Node = Text | Number | Boolean | Array | Object
