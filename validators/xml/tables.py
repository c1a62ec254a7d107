"""A pack's elements, derived once from its nodes: which elements an element takes, in which order, and what each is.

Arrays are repeated elements. The envelope differs from its JSON in names and in one level: `content` holds a
`contentObject` for each item of the JSON list (PROTOCOL.md, formats).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from validators.manifest import Manifest
from validators.nodes import Array, Boolean, Node, Number, Object
from validators.xml import lexical

XLINK: Final = "http://www.w3.org/1999/xlink"
XLINK_TYPE: Final = f"{{{XLINK}}}type"
XML_NAMES: Final = {"jsonContent": "contentXML", "embeddedJsonContent": "embeddedXMLContent"}
CONTENT, CONTENT_OBJECT, DESCRIPTOR, MESSAGE = "content", "contentObject", "descriptor", "message"
SOURCE_MESSAGE: Final = "sourceMessage"
"""The one open object with a shape: a message, as it came (PROTOCOL.md, the error report)."""

Convert = Callable[[str], Any]


@dataclass(eq=False)
class Class:
    """What an element takes, by tag. `order`: the slots as they must follow one another. An `open` class takes any
    element of its own namespace, those in `lists` are lists even when there is one, and it is written only when it is
    `writable`. `unheaded`: the fields that go without anything beside them (use cases without header)."""

    namespace: str
    order: list["Slot"] = field(default_factory=list)
    by_tag: dict[str, "Slot"] = field(default_factory=dict)
    by_element: dict[str, "Slot"] = field(default_factory=dict)
    open: bool = False
    lists: frozenset[str] = frozenset()
    writable: bool = True
    unheaded: frozenset[str] = frozenset()
    wrapped: str | None = None
    """The field whose list is this element's whole value."""

    def add(self, slot: "Slot") -> None:
        self.order.append(slot)
        self.by_tag[f"{{{slot.namespace}}}{slot.element}"] = slot
        self.by_element[slot.element] = slot

    @cached_property
    def allowed(self) -> str:
        """The elements it takes, for people; asked for once all are added."""
        return ", ".join(self.by_element)


@dataclass(eq=False)
class Slot:
    """One element in its class: the JSON field's `name`, the `element`'s, where it stands, and what is in it:
    a text (`convert` where it is none in JSON) or the elements of `inner`."""

    name: str
    element: str
    namespace: str
    position: int
    many: bool
    convert: Convert | None
    inner: Class | None
    kind: Node
    aliases: tuple[str, ...] = ()
    link: str | None = None
    """The value of `xlink:type`, the one attribute: written always, read where it is there."""


class Tables:
    """The elements of a pack. `root`: the message's; `cases`: each use case's, by its root's name."""

    def __init__(self, manifest: Manifest, envelope: Object, header: Object, cases: dict[str, Object]) -> None:
        self._made: dict[tuple[int, str, bool], Class] = {}
        self._manifest = manifest
        self._lists = frozenset(name for name, node in envelope.fields.items() if isinstance(node, Array))
        self.cases = {
            case.root: self._slot(case.root, cases[case.root], case.namespace, len(header.fields))
            for case in manifest.use_cases
        }
        for slot in self.cases.values():
            slot.aliases = manifest.namespace_aliases
        self._message = self._message_class(header)
        entry = manifest.envelope
        self.root = self._slot(entry.root, envelope, entry.namespace, 0)
        self.root.link = "extended"

    def _message_class(self, header: Object) -> Class:
        made = Class(self._manifest.base_namespace)
        for position, (name, node) in enumerate(header.fields.items()):
            made.add(self._slot(name, node, made.namespace, position))
        for slot in self.cases.values():
            made.add(slot)
        made.unheaded = frozenset(case.root for case in self._manifest.use_cases if not case.header)
        return made

    def _slot(self, name: str, node: Node, namespace: str, position: int) -> Slot:
        many = isinstance(node, Array)
        inside = node.items if isinstance(node, Array) else node
        in_envelope = namespace == self._manifest.envelope.namespace
        if in_envelope and name == CONTENT and many:
            return self._content(node, namespace, position)
        inner = self._class(inside, namespace, name) if isinstance(inside, Object) else None
        element = XML_NAMES.get(name, name) if in_envelope else name
        slot = Slot(name, element, namespace, position, many, _convert(inside), inner, inside)
        if in_envelope and name == DESCRIPTOR:
            slot.link = "resource"
        elif in_envelope and name == MESSAGE:
            slot.namespace, slot.inner = self._manifest.base_namespace, self._message
            slot.aliases = self._manifest.namespace_aliases
        return slot

    def _content(self, node: Node, namespace: str, position: int) -> Slot:
        inner = Class(namespace, wrapped=CONTENT)
        item = self._slot(CONTENT_OBJECT, node, namespace, 0)
        item.name = CONTENT
        item.link = "resource"
        inner.add(item)
        return Slot(CONTENT, CONTENT, namespace, position, False, None, inner, node, link="resource")

    def _class(self, node: Object, namespace: str, name: str) -> Class:
        source = name == SOURCE_MESSAGE
        key = (id(node), namespace, source)
        if key not in self._made:
            made = self._made[key] = Class(namespace)  # before its fields: a class may contain itself
            if not node.fields and not node.closed:
                made.open, made.writable = True, source
                made.lists = self._lists if source else frozenset()
            for position, (field_name, inner) in enumerate(node.fields.items()):
                made.add(self._slot(field_name, inner, namespace, position))
        return self._made[key]


def _convert(node: Node) -> Convert | None:
    match node:
        case Number(integer):
            return lexical.integer if integer else lexical.number
        case Boolean():
            return lexical.boolean
    return None
