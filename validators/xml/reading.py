"""The fast reading: a tree whose every element is where the tables have it becomes plain values in one walk.

Whatever is not as it should be raises `Irregular`, and the walk that explains (`explaining`) starts anew. The two
agree: what this one reads, that one reads to the same value without a fault. The tests hold both to it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from lxml import etree

from validators.xml.tables import XLINK_TYPE, Class, Convert, Slot

Finish = Callable[[dict[str, Any]], Any]
Entry = tuple[str, int, bool, Convert | None, Any, str | None, Finish | None]
"""Field, position, whether it repeats, the text's conversion, the `Quick` inside, `xlink:type`, last touch."""
Quick = dict[str, Entry]
"""By tag."""


class Irregular(Exception):
    """Not a tree that can be read without a second look."""


class QuickReader:
    """Reads the elements that it was made for."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._made: dict[int, Quick] = {}
        self._roots = {f"{{{slot.namespace}}}{slot.element}": self._entry(slot) for slot in slots}

    def read(self, root: etree._Element) -> Any:
        """The value of a root element. Raises Irregular."""
        entry = self._roots.get(root.tag)
        if entry is None or entry[4] is None or _attributes_differ(root, entry[5]) or root.text:
            raise Irregular
        return _read(root, entry[4])

    def _entry(self, slot: Slot) -> Entry:
        inner = None if slot.inner is None else self._quick(slot.inner)
        finish = None if slot.inner is None else _finish(slot.inner)
        return (slot.name, slot.position, slot.many, slot.convert, inner, slot.link, finish)

    def _quick(self, made: Class) -> Quick:
        if id(made) not in self._made:
            quick = self._made[id(made)] = {}
            # An open class has no entries: whatever is in it gets the second look.
            quick.update({tag: self._entry(slot) for tag, slot in made.by_tag.items()})
        return self._made[id(made)]


def _read(element: etree._Element, table: Quick) -> dict[str, Any]:
    out: dict[str, Any] = {}
    last = -1
    for child in element:
        entry = table.get(child.tag)
        if entry is None or child.tail:
            raise Irregular
        name, position, many, convert, inner, link, finish = entry
        if child.keys() if link is None else _attributes_differ(child, link):
            raise Irregular
        text = child.text
        value: Any
        if inner is None:
            if len(child):
                raise Irregular
            value = (text or "") if convert is None else convert(text or "")
        else:
            if text:
                raise Irregular
            value = _read(child, inner)
            if finish is not None:
                value = finish(value)
        if position > last:
            out[name] = [value] if many else value
            last = position
        elif many and position == last:
            out[name].append(value)
        else:
            raise Irregular
    return out


def _attributes_differ(element: etree._Element, link: str | None) -> bool:
    # Never `items()`: lxml looks each value up by its name, which is quadratic.
    return element.keys() != [XLINK_TYPE] or element.get(XLINK_TYPE) != link if link else bool(element.keys())


def _finish(made: Class) -> Finish | None:
    if made.wrapped is not None:
        wrapped = made.wrapped
        return lambda value: value.get(wrapped, [])
    return (lambda value: _header_where_due(value, made.unheaded)) if made.unheaded else None


def _header_where_due(value: dict[str, Any], unheaded: frozenset[str]) -> dict[str, Any]:
    if len(value) > 1 and not unheaded.isdisjoint(value):
        raise Irregular
    return value
