"""The walk that explains: reads whatever can be read of a tree, and names everything that only XML can be wrong about.

What the pack's own checks will name is not named here but mapped so that they do: a text that is no number stays a
text, an element that may not repeat becomes a list. What is named here as unknown is not mapped.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lxml import etree

from validators.faults import MAX_FAULTS, EnoughFaults, Fault, Findings, field_path
from validators.xml.lexical import BLANKS
from validators.xml.tables import XLINK_TYPE, Class, Slot

_HINTS = frozenset(
    f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation")
)
"""Attributes that every schema allows and that say nothing of the message."""

_NONE = frozenset[str]()

Way = str | tuple["Way", str, int | None]
"""Where an element is: a path, or (the way to what it is in, field, index). A path is made of it for a fault only."""


def explain(root: etree._Element, slot: Slot, path: str) -> tuple[Any, tuple[Fault, ...], tuple[Fault, ...]]:
    """The value of `root`, whose local name is the slot's, its faults and its warnings."""
    walk = _Walk()
    value: Any = {}
    try:
        read_as = walk.namespace_of(root, slot, path)
        value = walk.element(root, slot, path, read_as)
    except EnoughFaults:
        pass  # what is listed is refused already; the value is only looked at for further faults
    return value, walk.findings.faults(), tuple(walk.warnings)


class _Walk:
    def __init__(self) -> None:
        self.findings = Findings()
        self.warnings: list[Fault] = []

    def add(self, way: Way, rule: str, expected: str, found: str) -> None:
        """A fault; its path is made while it is listed."""
        self.findings.add("$" if self.findings.full() else _path(way), rule, expected, found)

    def namespace_of(self, element: etree._Element, slot: Slot, way: Way) -> str | None:
        """The namespace that stands for the slot's in this element; None when it is the right one."""
        found = etree.QName(element).namespace or ""
        if found == slot.namespace:
            return None
        if found not in slot.aliases:
            self.add(way, "namespace", slot.namespace, "another namespace" if found else "no namespace")
        elif len(self.warnings) < MAX_FAULTS:
            self.warnings.append(Fault(_path(way), "namespace_alias", slot.namespace, "alias"))
        return found

    def element(self, element: etree._Element, slot: Slot, way: Way, read_as: str | None) -> Any:
        if keys := element.keys():
            self._attributes(element, keys, slot.link, way)
        text = element.text or ""
        if slot.inner is None:
            if len(element):
                return {}  # the pack's check says what is due instead
            return text if slot.convert is None else slot.convert(text)
        if not len(element) and text.strip(BLANKS):
            return text
        if slot.inner.open:
            return self._open(element, slot.inner.lists, way) if len(element) else {}
        return self._class(element, slot.inner, way, read_as)

    def _attributes(self, element: etree._Element, keys: Sequence[str | bytes], link: str | None, way: Way) -> None:
        # Never `items()`: lxml looks each value up by its name, which is quadratic.
        allowed = f"xlink:type={link}" if link else ""
        for name in keys:
            known = name == XLINK_TYPE and link is not None and element.get(name) == link
            if not known and name not in _HINTS:
                self.add((way, f"@{name!s}", None), "attribute", allowed, "attribute")

    def _texts_between(self, element: etree._Element, children: list[etree._Element], way: Way) -> None:
        for text in (element.text, *[child.tail for child in children]):
            if text and text.strip(BLANKS):
                self.add(way, "text", "", "text")
                return

    def _class(self, element: etree._Element, made: Class, way: Way, read_as: str | None) -> Any:
        children = list(element)
        self._texts_between(element, children, way)
        out: dict[str, Any] = {}
        last: Slot | None = None
        tags = [child.tag for child in children]
        names = [_local(tag) for tag in tags]
        repeated, seen = _repeated(names), Counter[str]()
        for child, tag, local in zip(children, tags, names, strict=True):
            slot = made.by_element.get(local)
            many = local in repeated or (slot is not None and slot.many)
            index = None
            if many:
                index = seen[local]
                seen[local] = index + 1
            if slot is None:
                self.add((way, local, index), "unknown", made.allowed, "element")
                continue
            where: Way = (way, "" if made.wrapped is not None else slot.name, index)
            if last is not None and slot.position < last.position:
                self.add(where, "order", last.element, "element")
            else:
                last = slot
            child_read_as: str | None = None
            if made.by_tag.get(tag) is not slot:
                inherited = slot.namespace == made.namespace and _namespace(tag) == read_as
                child_read_as = read_as if inherited else self.namespace_of(child, slot, where)
            _put(out, slot.name, many, self.element(child, slot, where, child_read_as))
        self._header_where_due(out, made, way)
        return out.get(made.wrapped, []) if made.wrapped else out

    def _header_where_due(self, out: dict[str, Any], made: Class, way: Way) -> None:
        cases = made.unheaded & out.keys()
        if not cases:
            return
        for slot in made.order:
            if slot.name in out and slot.namespace == made.namespace and slot.name not in cases:
                self.add((way, slot.name, None), "unknown", ", ".join(sorted(cases)), "element")

    def _open(self, element: etree._Element, lists: frozenset[str], way: Way) -> Any:
        children = list(element)
        self._texts_between(element, children, way)
        out: dict[str, Any] = {}
        tags = [child.tag for child in children]
        names = [_local(tag) for tag in tags]
        repeated, own = _repeated(names), element.tag[: -len(_local(element.tag))]
        for child, tag, name in zip(children, tags, names, strict=True):
            many = name in repeated or name in lists
            where: Way = (way, name, len(out.get(name, ())) if many else None)
            if tag != own + name:
                self.add(where, "namespace", "", "another namespace")
            if keys := child.keys():
                self._attributes(child, keys, None, where)
            _put(out, name, many, self._open(child, frozenset(), where) if len(child) else child.text or "")
        return out


def _repeated(names: list[str]) -> frozenset[str]:
    """Those that are there more than once."""
    if len(names) < 2 or len(set(names)) == len(names):
        return _NONE
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def _put(out: dict[str, Any], name: str, many: bool, value: Any) -> None:
    if many:
        out.setdefault(name, []).append(value)
    else:
        out[name] = value


def _path(way: Way) -> str:
    """The path of a way."""
    steps: list[str] = []
    while not isinstance(way, str):
        way, name, index = way
        steps.append(("" if not name else field_path("", name)) + ("" if index is None else f"[{index}]"))
    return way + "".join(reversed(steps))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _namespace(tag: str) -> str:
    return tag[1:].rpartition("}")[0] if tag.startswith("{") else ""
