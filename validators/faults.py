"""What is wrong with a message, as data: where, which rule, what is allowed, what kind of thing was found.

No fault carries a value of the payload. The names of unknown fields are the payload's too: they appear in paths only,
escaped to ASCII and cut to 64 characters.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

import msgspec

RULES: Final = (
    "json",  # the bytes are no JSON text (depth, numbers out of range and lone surrogates included)
    "utf8",  # the bytes are not UTF-8
    "type",  # another kind of value is due
    "required",  # a field is missing
    "unknown",  # a field that the model does not know
    "enum",  # a code outside its list
    "pattern",  # a text outside its pattern
    "format",  # a text that is no date-time
    "min_items",
    "max_items",
    "use_case",  # not exactly one use case
    "model",  # refused by the model, no nearer cause known
    "nomenclature",  # a warning: a code outside the list that its field draws on (`nomenclatures`)
    "xml",  # the bytes are no XML text
    "doctype",  # a DOCTYPE
    "root",  # another root element
    "namespace",  # an element of another namespace
    "order",  # an element after one that must follow it
    "attribute",  # an attribute that is not known there
    "text",  # a text between elements
    "namespace_alias",  # a warning: an earlier namespace, which is read and never written
    "open",  # what is free in an open class, on the way to XML
    "xml_list",  # a list that repeated elements do not give back
    "xml_name",  # a name that is no XML name
    "xml_text",  # a text with a character that XML 1.0 has not
    "values",  # more values than a body may hold (`limits`)
    "more",  # further faults that were counted and not listed: `expected` is how many (at least, from `MAX_COUNTED` on)
)
MAX_NAME_LENGTH: Final = 64
MAX_FAULTS: Final = 500
"""How many faults are listed; beyond, they are counted."""
MAX_COUNTED: Final = 10_000
"""How many are counted; beyond, the search ends: a message made to be wrong everywhere must not cost more."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}").fullmatch


class Fault(msgspec.Struct, frozen=True):
    """One fault. `path` is a JSON path (`$.content[0]…`), `rule` one of `RULES`, `expected` what the model allows,
    `found` the kind of what is there ("missing", "string", "object"…), never its value."""

    path: str
    rule: str
    expected: str
    found: str


class ContentFaults(Exception):
    """A content refused. `faults` is never empty; the text of the exception carries no payload."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


class EnoughFaults(Exception):
    """`MAX_COUNTED` faults have been found: the search may end."""


class Findings:
    """Faults as they are found: the first `MAX_FAULTS` are kept, the rest is counted, so that memory stays bounded."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._more = 0

    def add(self, path: str, rule: str, expected: str, found: str) -> None:
        """Keep or count one fault; EnoughFaults when the search may end."""
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(path, rule, expected, found))
        else:
            self._more += 1
            if self._more + MAX_FAULTS >= MAX_COUNTED:
                raise EnoughFaults

    def full(self) -> bool:
        """Whether further faults are only counted (their path need not be made)."""
        return len(self._faults) >= MAX_FAULTS

    def faults(self) -> tuple[Fault, ...]:
        """All faults, in the order of the message; a last one of rule "more" when some were only counted."""
        more = (Fault("$", "more", str(self._more), ""),) if self._more else ()
        return (*self._faults, *more)


def kind_of(value: object) -> str:
    """The JSON kind of a parsed value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"


def field_path(path: str, name: str) -> str:
    """The path of a field below `path`; a name that is not plain is quoted, escaped to ASCII and cut."""
    if _PLAIN_NAME(name) is not None:
        return f"{path}.{name}"
    short = name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…"
    quoted = json.dumps(short)
    if len(quoted) > MAX_NAME_LENGTH + 2:  # escapes made it long again
        quoted = '"' + quoted[1 : MAX_NAME_LENGTH + 1].rpartition("\\")[0] + '\\u2026"'
    return f"{path}[{quoted}]"
