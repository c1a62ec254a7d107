"""Hostile inputs by chance: bodies, and AMQP properties as bytes, from a `Random`, so that a seed tells each of them.

Most are valid but for one or a few changes: what is wrong everywhere is refused at the first look.
"""

import struct
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import orjson

from router.core import names
from router.core.directory import Client, Format
from tests.support.messages import Body, encoded, message
from tests.validators.generate import mutated
from validators import Pack

_KINDS = ("Report", "Update", "Cancel", "Ack", "Error")
_TOKENS = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\r",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"1e999",
    b"-0",
    b"9" * 400,
    b"<",
    b">",
    b"/>",
    b"&lt;",
    b"&a;",
    b"&#0;",
    b"&#1114112;",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?x?>",
    b'<!DOCTYPE a [<!ENTITY b "c">]>',
    b'xmlns="u"',
    b'xsi:nil="true"',
    b"<a>" * 300,
    b"[" * 2000,
    b"distributionID",
    b"content",
    b"message",
    b'"content":[],',
    b"fr.health.",
)
_IDS = (
    "",
    "fr.health.",
    "fr.health.hub",
    "fr.healthy",
    "fr.fire.x",
    "hub.parked",
    "dispatch.00",
    "#",
    "*",
    "a" * 300,
    "é" * 200,
    "\x00",
    "\ud7ff\U0010ffff",
    "../..",
    "fr.health.nobody",
)
CONTENT_TYPES = (
    "application/json",
    "application/xml",
    "application/json; charset=utf-8",
    "APPLICATION/XML",
    " application/json",
    "text/plain",
    "",
    "application/octet-stream",
    "é",
    "x" * 255,
    "application/json;" + "y" * 200,
)
HUB_HEADERS = tuple(value for name, value in sorted(vars(names).items()) if name.startswith("HEADER_"))
"""Every header that the hub has, the next one too."""
BROKER_HEADERS = (
    "x-death",
    "x-first-death-reason",
    "x-first-death-queue",
    "x-first-death-exchange",
    "x-last-death-reason",
    "x-last-death-queue",
    "x-last-death-exchange",
    "x-delivery-count",
)


class Hostile(NamedTuple):
    """One input: how its body came about, its body, and the property list of its content header (flags first)."""

    what: str
    body: bytes
    properties: bytes


def hostile(rnd: Random, sender: Client, recipient: Client, pack: Pack) -> Hostile:
    """One input that `sender` might publish."""
    form = rnd.choice(list(Format))
    what, body = _body(rnd, sender.id, recipient.id, form, pack)
    return Hostile(f"{form} {what}", body, _properties(rnd, form))


# ---- bodies --------------------------------------------------------------------------------------


def _body(rnd: Random, sender: str, recipient: str, form: Format, pack: Pack) -> tuple[str, bytes]:
    value: Any = message(sender, recipient, rnd.choice(_KINDS))
    plain = encoded(value) if form is Format.JSON else pack.xml.write_message(encoded(value))
    match rnd.randrange(10):
        case 0 | 8 | 9:
            return "valid", plain
        case 1 | 2:
            value = mutated(value, rnd, rnd.choice((1, 1, 2, 5, 20)))
            return "another value", _written(value, form, pack)
        case 3:
            return "another party", _written(_other_party(rnd, value), form, pack)
        case 4 | 5:
            return "spoilt bytes", spoilt(rnd, plain)
        case 6:
            return "no message", rnd.choice(
                (b"", b"null", b"[]", b"{}", b"<a/>", rnd.choice(_TOKENS), rnd.randbytes(rnd.randrange(200)))
            )
    return "in the other format", pack.xml.write_message(encoded(value)) if form is Format.JSON else encoded(value)


def _written(value: Any, form: Format, pack: Pack) -> bytes:
    try:
        text = orjson.dumps(value)
        return text if form is Format.JSON else pack.xml.write_message(text)
    except Exception:  # what cannot be written in XML goes as JSON, under whatever type
        return _as_json(value)


def _as_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return repr(value).encode("utf-8", "replace")


def _other_party(rnd: Random, value: Body) -> Body:
    odd = rnd.choice(_IDS)
    match rnd.randrange(5):
        case 0:
            value["senderID"] = odd
        case 1:
            value["descriptor"]["explicitAddress"]["explicitAddressValue"] = odd
        case 2:
            value["distributionID"] = odd
        case 3:
            value["dateTimeExpires"] = rnd.choice(
                ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2000-01-01T00:00:00+01:00")
            )
        case 4:
            value["distributionKind"] = rnd.choice(_KINDS)
    return value


def spoilt(rnd: Random, data: bytes) -> bytes:
    """The bytes with a few changes: cut, doubled, swapped, a bit turned, a token put in."""
    changed = bytearray(data)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 10))):
        at = rnd.randrange(len(changed) + 1)
        to = min(len(changed), at + rnd.choice((1, 1, 2, 10, 100, 1000)))
        match rnd.randrange(6):
            case 0:
                del changed[at:to]
            case 1:
                changed[at:at] = changed[at:to]
            case 2 if at < len(changed):
                changed[at] ^= 1 << rnd.randrange(8)
            case 3:
                changed[at:to] = rnd.choice(_TOKENS)
            case _:
                changed[at:at] = rnd.choice(_TOKENS)
    return bytes(changed)


# ---- properties ----------------------------------------------------------------------------------


def _properties(rnd: Random, form: Format) -> bytes:
    if rnd.randrange(4) == 0:
        return property_list(content_type=f"application/{form}", delivery_mode=2)
    values: dict[str, Any] = {"content_type": f"application/{form}", "delivery_mode": 2}
    for _ in range(rnd.choice((1, 1, 2, 6))):
        name = rnd.choice(list(_ODD))
        values[name] = _ODD[name](rnd)
    return property_list(**values)


def _headers(rnd: Random) -> bytes:
    known = (*HUB_HEADERS, *BROKER_HEADERS, "CC", "BCC")
    table = b"".join(
        header(rnd.choice(known) if rnd.randrange(3) else _name(rnd), _field(rnd, 0))
        for _ in range(rnd.choice((1, 1, 3, 12)))
    )
    return table if rnd.randrange(12) else spoilt(rnd, table)


def _name(rnd: Random) -> str:
    return rnd.choice(("", "own", "x-hub-", "X-HUB-KEY", "x-match", "cc", "é" * 100, "x-death-x", "x" * 255))


_ODD: dict[str, Callable[[Random], Any]] = {
    "content_type": lambda rnd: rnd.choice(CONTENT_TYPES),
    "content_encoding": lambda rnd: rnd.choice(("utf-8", "gzip", "", "\xff" * 255)),
    "headers": _headers,
    "delivery_mode": lambda rnd: rnd.choice((0, 1, 2, 3, 255)),
    "priority": lambda rnd: rnd.choice((0, 9, 255)),
    "correlation_id": lambda rnd: rnd.choice(("", "x" * 255, "\x00\xff")),
    "reply_to": lambda rnd: rnd.choice(("hub.parked", "dispatch.00", "é")),
    "expiration": lambda rnd: rnd.choice(("100000000", "60000")),
    "message_id": lambda rnd: rnd.choice(("1", "x" * 255, "\n\r\x1b[2J")),
    "timestamp": lambda rnd: rnd.choice((0, 2**63, 2**64 - 1)),
    "type": lambda rnd: rnd.choice(("", "x" * 255)),
    "app_id": lambda rnd: rnd.choice(("", "hubex", "\xff")),
    "cluster_id": lambda rnd: "x",
}
_ORDER = (*list(_ODD)[:11], "user_id", "app_id", "cluster_id")
_NUMBERS = {"delivery_mode": ">B", "priority": ">B", "timestamp": ">Q"}


def property_list(**values: Any) -> bytes:
    """A property list, whatever its values: texts in Latin-1, `headers` an encoded table."""
    flags, parts = 0, []
    for at, name in enumerate(_ORDER):
        if name not in values:
            continue
        flags |= 1 << (15 - at)
        value = values[name]
        if name == "headers":
            parts.append(struct.pack(">I", len(value)) + value)
        elif name in _NUMBERS:
            parts.append(struct.pack(_NUMBERS[name], value))
        else:
            text = value.encode("latin-1", "replace")
            parts.append(bytes((len(text),)) + text)
    return struct.pack(">H", flags) + b"".join(parts)


def header(name: str, field: bytes) -> bytes:
    """One entry of a table."""
    key = name.encode("utf-8")[:255]
    return bytes((len(key),)) + key + field


def text(value: bytes) -> bytes:
    """A long string's field."""
    return b"S" + struct.pack(">I", len(value)) + value


def array(*fields: bytes) -> bytes:
    """An array's field."""
    inside = b"".join(fields)
    return b"A" + struct.pack(">I", len(inside)) + inside


def table(*entries: bytes) -> bytes:
    """A table's field."""
    inside = b"".join(entries)
    return b"F" + struct.pack(">I", len(inside)) + inside


def _field(rnd: Random, depth: int) -> bytes:
    match rnd.randrange(11 if depth < 4 else 7):
        case 0:
            return text(rnd.choice((b"", b"fr.health.x.out.message", b"replay", b"x" * 500, b"\xff\xfe", b"\n")))
        case 1:
            return b"l" + rnd.choice((b"\x00" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x00" * 7 + b"\x63"))
        case 2:
            return b"t" + rnd.choice((b"\x00", b"\x01", b"\xff"))
        case 3:
            return b"V"
        case 4:
            return rnd.choice(
                (
                    b"I\xff\xff\xff\xff",
                    b"d" + b"\xff" * 8,
                    b"f" + b"\x7f\xc0\x00\x00",
                    b"D\xff\xff\xff\xff\xff",
                    b"T" + b"\xff" * 8,
                )
            )
        case 5:
            return b"x" + struct.pack(">I", 3) + b"\x00\xff\x01"
        case 6:
            return rnd.choice((b"b\xff", b"s\xff\xff", b"u\xff\xff", b"i\xff\xff\xff\xff"))
        case 7 | 8:
            return array(*(_field(rnd, depth + 1) for _ in range(rnd.randrange(4))))
        case 9:
            return table(*(header(_name(rnd), _field(rnd, depth + 1)) for _ in range(rnd.randrange(4))))
    return _nested(rnd.choice((3, 50, 400)))


def _nested(depth: int) -> bytes:
    """Tables in arrays in tables."""
    field = b"V"
    for level in range(depth):
        field = array(field) if level % 2 else table(header("x", field))
    return field
