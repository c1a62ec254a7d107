"""The JSON ones of `bombs`."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from tests.support.bombs import TAKEN, Room
from tests.support.messages import Body, encoded, message

Made = Iterator[tuple[str, bytes, int]]
Around = tuple[bytes, bytes]
HERE = "@@here@@"
_MESSAGE = ("jsonContent", "embeddedJsonContent", "message")


def made(sender: str, recipient: str, room: Room) -> Made:
    """Name, body and code of each."""

    def whole(*way: str | int) -> Around:
        return _at(message(sender, recipient), *way)

    def case(*way: str | int) -> Around:
        return whole("content", 0, *_MESSAGE, "createCase", *way)

    yield from _nested(room, case, whole)
    yield from _lists(room, sender, case)
    yield from _names(room, sender, recipient, case)
    yield from _contents(room, sender, recipient, whole)
    yield from _numbers(room, case)
    yield from _texts(room, case, whole)


Way = Callable[..., Around]


def _nested(room: Room, case: Way, whole: Way) -> Made:
    beside = whole("content", 0, *_MESSAGE, "beside")
    nest = (b"[" * 900) + (b"]" * 900)
    yield "no message, nested lists", b"[" * room.bytes, 300
    yield "no message, nested objects", b'{"a":' * (room.bytes // 5), 300
    yield "nested beyond any reader", room.filled(case("freetext"), b"["), 300
    yield "nested as deep as it may be, often", room.filled(_list(beside), nest, between=b","), TAKEN
    yield "empty lists beside the case", room.filled(_list(beside), b"[]", between=b","), TAKEN
    yield "empty objects beside the case", room.filled(_list(beside), b"{}", between=b","), TAKEN


def _lists(room: Room, sender: str, case: Way) -> Made:
    texts, threats, alerts = (
        _list(case(*way)) for way in (("freetext",), ("qualification", "riskThreat"), ("newAlert",))
    )
    threat, alert = b'{"code":"R20","label":"x"}', orjson.dumps(_alert(sender))
    yield "empty texts", room.filled(texts, b'""', between=b","), TAKEN
    yield "empty texts, the last one none", room.filled(texts, b'""', b",7", b","), 300
    yield "texts of few words", room.filled(texts, b'"in a few words of text"', between=b","), TAKEN
    yield "numbers for texts", room.filled(texts, b"1", between=b","), 300
    yield "longer numbers for texts", room.filled(texts, b"1234567890123456789", between=b","), 300
    yield "numbers of 300 digits", room.filled(texts, b"7" * 300, between=b","), 300
    yield "classes without their fields", room.filled(threats, b"{}", between=b","), 300
    yield "right classes, the last one not", room.filled(threats, threat, b",{}", b","), 300
    yield (
        "right classes, the last one unlisted",
        room.filled(threats, threat, b',{"code":"R99","label":"x"}', b","),
        TAKEN,
    )
    yield "right classes with an unlisted code", room.filled(threats, threat.replace(b"20", b"99"), between=b","), TAKEN
    yield "right classes with a wrong code", room.filled(threats, threat.replace(b"R20", b"x"), between=b","), 300
    yield "whole alerts", room.filled(alerts, alert, between=b","), TAKEN
    yield "whole alerts, the last one spoilt", room.filled(alerts, alert, b",7", b","), 300
    yield "whole alerts, each spoilt", room.filled(alerts, alert.replace(b"FR", b"fr"), between=b","), 300
    yield "whole alerts on leap days", room.filled(alerts, alert.replace(b"03-12", b"02-29"), between=b","), TAKEN
    yield "alerts without anything", room.filled(alerts, b"{}", between=b","), 300


def _names(room: Room, sender: str, recipient: str, case: Way) -> Made:
    head, tail = case("location")
    inside = head + b"{", b"}" + tail
    escapes = b"\\u0000" * 40
    yield "unknown fields", room.filled(inside, lambda n: b'"%06d":0' % n, between=b","), 300
    yield "unknown fields, long names", room.filled(inside, lambda n: b'"%06d%s":0' % (n, escapes), between=b","), 300
    yield "a name without end", room.filled((inside[0] + b'"', b'":0' + inside[1]), b"n"), 300
    yield "the same field again and again", room.filled(inside, b'"country":"FR"', between=b","), 300
    cases = _at(message(sender, recipient), "content", 0, *_MESSAGE, "createCase")
    yield "the same case again and again", room.filled(cases, b'{},"createCase":', b"{}"), 300
    yield "the same id again and again", room.filled((b"{", b"}"), b'"distributionID":"a"', between=b","), 300
    yield "ids of no message", b'"distributionID"' * (room.bytes // 16), 300
    yield "an id behind blanks", b'{"distributionID"' + b" " * (room.bytes - 18), 300


def _contents(room: Room, sender: str, recipient: str, whole: Way) -> Made:
    contents = _list(whole("content"))
    element = orjson.dumps(message(sender, recipient, "Ack")["content"][0])
    yield "contents without anything", room.filled(contents, b"{}", between=b","), 300
    yield "whole contents", room.filled(contents, element, between=b","), TAKEN
    yield "whole contents, the last one spoilt", room.filled(contents, element, b",{}", b","), 300


def _numbers(room: Room, case: Way) -> Made:
    head, tail = case("location", "geometry")
    point = head + b'{"datetime":"2024-03-12T08:12:00+01:00","point":{"coord":{"lat":'
    behind = b',"lon":0.7,"precision":"ADRESSE"}}}' + tail
    starts = (("digits", b"7", 300), ("a fraction", b"0.", TAKEN), ("an exponent", b"1e", 300), ("a minus", b"-7", 300))
    for name, start, code in starts:
        yield f"{name} without end", room.filled((point + start, behind), b"7"), code


def _texts(room: Room, case: Way, whole: Way) -> Made:
    identifier, name = _text(case("caseId")), _text(case("location", "name"))
    for what, piece in (("words", b"a"), ("dotted words", b"a."), ("dots", b"."), ("CJK", "\u4e00".encode())):
        yield f"an id of {what} without end", room.filled(identifier, piece), TAKEN if what == "words" else 300
        yield f"an id of {what}, wrong at its end", room.filled(identifier, piece, b"!"), 300
    yield "an id of all characters", room.filled(identifier, _any_character), 300
    for what, around, code in (("a", case("creation"), 300), ("an envelope's", whole("dateTimeSent"), TAKEN)):
        head, tail = around
        date = head + b'"2024-03-12T08:11:02.', b'"' + tail
        yield f"{what} date with a fraction without end", room.filled(date, b"0", b"+01:00"), code
    for what, piece in (
        ("escapes", b"\\u00e9"),
        ("quotes", b'\\"'),
        ("backslashes", b"\\\\"),
        ("CJK", "\u4e00".encode()),
    ):
        yield f"a text of {what}", room.filled(name, piece), TAKEN
    yield "a text of commas", Room(room.bytes).filled(name, b","), TAKEN
    plain = room.filled(name, b"x")
    yield "a text without end", plain, TAKEN
    yield "not UTF-8 at its end", plain[:-3] + b"\xff" + plain[-3:], 300
    yield "cut off at its end", plain[:-1], 300
    yield "spaces", b" " * room.bytes, 300
    yield "zeros", b"\x00" * room.bytes, 300


# ---- parts ---------------------------------------------------------------------------------------


def _at(body: Body, *way: str | int) -> Around:
    """The message's bytes before and behind what stands at a place of it."""
    holder: Any = body
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = HERE
    head, _, tail = encoded(body).partition(f'"{HERE}"'.encode())
    return head, tail


def _list(around: Around) -> Around:
    return around[0] + b"[", b"]" + around[1]


def _text(around: Around) -> Around:
    return around[0] + b'"', b'"' + around[1]


def _any_character(number: int) -> bytes:
    return chr(0x100 + number % 0xD000).encode()


def _alert(sender: str) -> Body:
    return {
        "id": "AL-1",
        "reception": "2024-03-12T08:10:41+01:00",
        "reporting": "STANDARD",
        "location": {"locID": "l-1", "name": "here", "country": "FR"},
        "qualification": {"whatsHappen": {"code": "C02.03.01", "label": "x"}},
        "caller": {"callerContact": {"channel": "PERSONNE", "type": "TEL", "detail": "0600000000"}},
        "callTaker": {"organization": sender, "controlRoom": "CTA"},
    }
