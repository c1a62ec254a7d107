"""From a valid message's values to XML text: the tables' order, namespaces and attributes, and nothing left out.

What XML cannot carry, or would give back as something else, is Unwritable: characters outside XML 1.0, names that are
no XML names, empty lists, the free fields of open classes. Within `sourceMessage`, a message as it came, texts and
objects are carried; what would come back as another value (numbers, null, {}) is not.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from validators.faults import Fault, field_path, kind_of
from validators.nodes import Boolean, Number
from validators.xml.lexical import escaped, is_name
from validators.xml.tables import XLINK, Class, Slot

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
MAX_LEVELS: Final = 200
"""How deep an open object may be: XML readers, ours too, refuse 256 levels."""

Leaf = Callable[[Any], str]
Content = Callable[[Any, list[str]], None]
Entry = tuple[str, str, str, bool, Leaf | None, Content]
"""Field, start tag, end tag, whether it repeats, how its text is written, or else how what is in it is."""


class Unwritable(Exception):
    """A message that XML cannot carry. `faults`: the place and why, never empty; no value is in it."""

    def __init__(self, rule: str, expected: str, found: str) -> None:
        super().__init__(rule)
        self._fault = (rule, expected, found)
        self._way: list[str | int] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The first thing that cannot be written."""
        path = "$"
        for step in reversed(self._way):
            path = f"{path}[{step}]" if isinstance(step, int) else field_path(path, step)
        return (Fault(path, *self._fault),)

    def within(self, step: str | int) -> None:
        """One step further out: a field, or an index."""
        self._way.append(step)


class Writer:
    """Writes the elements that it was made for."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        self._made: dict[int, Content] = {}
        self._roots = {slot.name: self._entry(slot, None) for slot in slots}

    def write(self, root: str, value: Any) -> str:
        """The document of the root element of that field name. Raises Unwritable."""
        _, start, end, _, _, content = self._roots[root]
        out = [DECLARATION, start]
        content(value, out)
        out.append(end)
        return "".join(out)

    def _entry(self, slot: Slot, around: str | None) -> Entry:
        if is_name(slot.element) is None:
            return (slot.name, "", "", slot.many, None, _no_name)
        namespace = "" if slot.namespace == around else f" xmlns={quoteattr(slot.namespace)}"
        if slot.link == "extended":
            namespace += f' xmlns:xlink="{XLINK}"'
        link = "" if slot.link is None else f' xlink:type="{slot.link}"'
        tags = (f"<{slot.element}{namespace}{link}>", f"</{slot.element}>")
        if slot.inner is None:
            return (slot.name, *tags, slot.many, _leaf(slot), _no_name)
        return (slot.name, *tags, slot.many, None, self._content(slot.inner))

    def _content(self, made: Class) -> Content:
        if made.open and made.writable:
            return lambda value, out: _open(_object_only(value), out, made.lists, 1)
        if id(made) not in self._made:
            entries: list[Entry] = []
            content = _wrapped(entries) if made.wrapped is not None else _object(entries)
            self._made[id(made)] = _alone(made.unheaded, content) if made.unheaded else content
            entries += [self._entry(slot, made.namespace) for slot in made.order]
        return self._made[id(made)]


def _object(entries: list[Entry]) -> Content:
    def content(value: Any, out: list[str]) -> None:
        if type(value) is not dict:
            raise Unwritable("type", "object", kind_of(value))
        written = 0
        name = ""
        try:
            for name, start, end, many, leaf, inner in entries:
                if name not in value:
                    continue
                written += 1
                item = value[name]
                if many:
                    _list(item, start, end, leaf, inner, out)
                elif leaf is not None:
                    out.append(f"{start}{leaf(item)}{end}")
                else:
                    out.append(start)
                    inner(item, out)
                    out.append(end)
            if written != len(value):
                known = {entry[0] for entry in entries}
                name = next(name for name in value if name not in known)
                raise Unwritable("open", "", kind_of(value[name]))
        except Unwritable as error:
            error.within(name)
            raise

    return content


def _alone(unheaded: frozenset[str], content: Content) -> Content:
    """A message: a use case without header has nothing beside it."""

    def checked(value: Any, out: list[str]) -> None:
        if type(value) is dict and len(value) > 1 and not unheaded.isdisjoint(value):
            name = next((name for name in value if name not in unheaded), next(iter(value)))
            error = Unwritable("open", "", kind_of(value[name]))
            error.within(name)
            raise error
        content(value, out)

    return checked


def _wrapped(entries: list[Entry]) -> Content:
    def content(value: Any, out: list[str]) -> None:
        _, start, end, _, leaf, inner = entries[0]
        _list(value, start, end, leaf, inner, out)

    return content


def _list(items: Any, start: str, end: str, leaf: Leaf | None, inner: Content, out: list[str]) -> None:
    if type(items) is not list:
        raise Unwritable("type", "array", kind_of(items))
    if not items:
        raise Unwritable("xml_list", "", "array")
    for index, item in enumerate(items):
        try:
            if leaf is not None:
                out.append(f"{start}{leaf(item)}{end}")
            else:
                out.append(start)
                inner(item, out)
                out.append(end)
        except Unwritable as error:
            error.within(index)
            raise


def _leaf(slot: Slot) -> Leaf:
    match slot.kind:
        case Number(integer):
            return _integer if integer else _number
        case Boolean():
            return _boolean
    return _text


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Unwritable("xml_list" if type(value) is list else "type", "string", kind_of(value))
    text = escaped(value)
    if text is None:
        raise Unwritable("xml_text", "", "string")
    return text


def _number(value: Any) -> str:
    if type(value) is not float and type(value) is not int:
        raise Unwritable("type", "number", kind_of(value))
    return repr(value)


def _integer(value: Any) -> str:
    if type(value) is float and value.is_integer():
        return str(int(value))
    if type(value) is not int:
        raise Unwritable("type", "integer", kind_of(value))
    return str(value)


def _boolean(value: Any) -> str:
    if type(value) is not bool:
        raise Unwritable("type", "boolean", kind_of(value))
    return "true" if value else "false"


def _no_name(value: Any, out: list[str]) -> None:
    raise Unwritable("xml_name", "", kind_of(value))


def _object_only(value: Any) -> Any:
    if type(value) is not dict:
        raise Unwritable("type", "object", kind_of(value))
    return value


def _open(value: Any, out: list[str], lists: frozenset[str], level: int) -> None:
    """Texts and objects of any name; a list where it comes back as one."""
    if type(value) is not dict:
        out.append(_text(value))
        return
    if level > MAX_LEVELS or (level > 1 and not value):
        raise Unwritable("open", "", "object")
    for name, inner in value.items():
        try:
            _open_field(name, inner, out, name in lists, level)
        except Unwritable as error:
            error.within(name)
            raise


def _open_field(name: str, value: Any, out: list[str], listed: bool, level: int) -> None:
    if is_name(name) is None:
        raise Unwritable("xml_name", "", kind_of(value))
    if listed != (type(value) is list) and (listed or len(value) < 2):
        raise Unwritable("xml_list", "", kind_of(value))
    items = value if type(value) is list else [value]
    if not items:
        raise Unwritable("xml_list", "", "array")
    for index, item in enumerate(items):
        out.append(f"<{name}>")
        try:
            _open(item, out, frozenset(), level + 1)
        except Unwritable as error:
            if items is value:
                error.within(index)
            raise
        out.append(f"</{name}>")
