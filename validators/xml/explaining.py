"""The walk that explains: reads whatever can be read of a tree, and names everything that only XML can be wrong about.

What the pack's own checks will name is not named here but mapped so that they do: a text that is no number stays a
text, an element that may not repeat becomes a list. What is named here as unknown is not mapped.
"""

from collections import Counter
from typing import Any

from lxml import etree

from validators.faults import EnoughFaults, Fault, Findings, field_path
from validators.xml.lexical import BLANKS
from validators.xml.tables import XLINK_TYPE, Class, Slot

_HINTS = frozenset(
    f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation")
)
"""Attributes that every schema allows and that say nothing of the message."""


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

    def namespace_of(self, element: etree._Element, slot: Slot, path: str) -> str | None:
        """The namespace that stands for the slot's in this element; None when it is the right one."""
        found = etree.QName(element).namespace or ""
        if found == slot.namespace:
            return None
        if found in slot.aliases:
            self.warnings.append(Fault(path, "namespace_alias", slot.namespace, "alias"))
        else:
            self.findings.add(path, "namespace", slot.namespace, "another namespace" if found else "no namespace")
        return found

    def element(self, element: etree._Element, slot: Slot, path: str, read_as: str | None) -> Any:
        self._attributes(element, slot.link, path)
        text = element.text or ""
        if slot.inner is None:
            if len(element):
                return {}  # the pack's check says what is due instead
            return text if slot.convert is None else slot.convert(text)
        if not len(element) and text.strip(BLANKS):
            return text
        if slot.inner.open:
            return self._open(element, slot.inner.lists, path) if len(element) else {}
        return self._class(element, slot.inner, path, read_as)

    def _attributes(self, element: etree._Element, link: str | None, path: str) -> None:
        allowed = f"xlink:type={link}" if link else ""
        for name in element.keys():  # never `items()`: lxml looks each value up by its name, which is quadratic
            known = name == XLINK_TYPE and link is not None and element.get(name) == link
            if not known and name not in _HINTS:
                self.findings.add(field_path(path, "@" + str(name)), "attribute", allowed, "attribute")

    def _texts_between(self, element: etree._Element, path: str) -> None:
        texts = [element.text, *(child.tail for child in element)]
        if any(text and text.strip(BLANKS) for text in texts):
            self.findings.add(path, "text", "", "text")

    def _class(self, element: etree._Element, made: Class, path: str, read_as: str | None) -> Any:
        self._texts_between(element, path)
        out: dict[str, Any] = {}
        last: Slot | None = None
        by_element = {slot.element: slot for slot in made.order}
        counts, seen = Counter(_local(child.tag) for child in element), Counter[str]()
        for child in element:
            local = _local(child.tag)
            slot = by_element.get(local)
            many = counts[local] > 1 or (slot is not None and slot.many)
            wrapped = made.wrapped is not None and slot is not None
            where = path if wrapped else field_path(path, local if slot is None else slot.name)
            if many:
                where = f"{where}[{seen[local]}]"
            seen[local] += 1
            if slot is None:
                self.findings.add(where, "unknown", ", ".join(by_element), "element")
                continue
            if last is not None and slot.position < last.position:
                self.findings.add(where, "order", last.element, "element")
            else:
                last = slot
            inherited = slot.namespace == made.namespace and _namespace(child.tag) == read_as
            child_read_as = read_as if inherited else self.namespace_of(child, slot, where)
            _put(out, slot.name, many, self.element(child, slot, where, child_read_as))
        self._header_where_due(out, made, path)
        return out.get(made.wrapped, []) if made.wrapped else out

    def _header_where_due(self, out: dict[str, Any], made: Class, path: str) -> None:
        cases = made.unheaded & out.keys()
        others = [slot.name for slot in made.order if slot.name in out and slot.namespace == made.namespace]
        for name in others if cases else ():
            if name not in cases:
                self.findings.add(field_path(path, name), "unknown", ", ".join(sorted(cases)), "element")

    def _open(self, element: etree._Element, lists: frozenset[str], path: str) -> Any:
        self._texts_between(element, path)
        out: dict[str, Any] = {}
        children = list(element)
        tags = [child.tag for child in children]
        names = [_local(tag) for tag in tags]
        counts, own = Counter(names), element.tag[: -len(_local(element.tag))]
        for child, tag, name in zip(children, tags, names, strict=True):
            many = counts[name] > 1 or name in lists
            value: Any
            if not len(child) and not child.keys() and tag == own + name:
                value = child.text or ""  # nothing to name, so no path is made: there may be 250 000 of them
            else:
                where = field_path(path, name)
                if many:
                    where = f"{where}[{len(out.get(name, ()))}]"
                if tag != own + name:
                    self.findings.add(where, "namespace", "", "another namespace")
                self._attributes(child, None, where)
                value = self._open(child, frozenset(), where) if len(child) else child.text or ""
            _put(out, name, many, value)
        return out


def _put(out: dict[str, Any], name: str, many: bool, value: Any) -> None:
    if many:
        out.setdefault(name, []).append(value)
    else:
        out[name] = value


def _local(tag: str | bytes) -> str:
    return str(tag).rpartition("}")[2]


def _namespace(tag: str) -> str:
    return tag[1:].rpartition("}")[0] if tag.startswith("{") else ""
