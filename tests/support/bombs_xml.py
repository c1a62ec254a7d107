"""The XML ones of `bombs`."""

from typing import Any

from tests.support.bombs import TAKEN, Room
from tests.support.bombs_json import HERE, Around, Made
from tests.support.messages import Body, encoded, inner, message
from validators import Pack

_NEST = b"<a>" * 200 + b"</a>" * 200


def made(sender: str, recipient: str, pack: Pack, room: Room) -> Made:
    """Name, body and code of each."""

    def around(*way: str | int) -> Around:
        """What stands before and behind the text at a place of the case."""
        body = message(sender, recipient)
        return _written(body, inner(body)["createCase"], way, pack)

    body = message(sender, recipient, "Error")
    source = _written(body, inner(body)["error"], ("sourceMessage", "x"), pack)
    plain = pack.xml.write_message(encoded(message(sender, recipient)))
    text = around("location", "name")
    yield from _elements(room, text, plain)
    yield from _repeated(room, around("freetext"), around("qualification", "riskThreat", 0, "label"))
    yield from _heads(room, _behind(text), plain)
    yield from _signs(room, text)
    yield from _prologs(room)
    within = source[0].removesuffix(b"<x>"), source[1].removeprefix(b"</x>")
    # Of a kind that its key does not take; valid for the pack all the same.
    for name, piece in (("elements", b"<a/>"), ("nests", _NEST), ("texts", b"<a>some words of text</a>")):
        yield f"a free message of {name}", room.filled(within, piece), 300
    yield "a free message, another namespace", room.filled(within, b"<a>x</a>", b'<b xmlns="u"/>'), 300


def _elements(room: Room, text: Around, plain: bytes) -> Made:
    behind, root_end = _behind(text), plain.index(b">", plain.index(b"<edxl")) + 1
    yield "nested elements", b"<a>" * (room.bytes // 3), 300
    yield "nested in a field", room.filled(text, b"<a>"), 300
    yield "nested as deep as it may be, often", room.filled(text, _NEST), 300
    yield "unknown empty elements", room.filled(behind, b"<a/>"), 300
    yield "unknown empty elements in a text", room.filled(text, b"<a/>"), 300
    yield "unknown empty elements in the envelope", room.filled((plain[:root_end], plain[root_end:]), b"<a/>"), 300
    yield "text between unknown elements", room.filled(behind, b"a<a/>"), 300
    yield "the same field again and again", room.filled(behind, b"<name/>"), 300
    yield "fields in the wrong order", room.filled(behind, b"<name/><locID/>"), 300
    yield "long names", room.filled(behind, lambda n: b"<a%06d/>" % n), 300
    yield "a name without end", room.filled((b"<", b"/>"), b"a"), 300


def _repeated(room: Room, text: Around, label: Around) -> Made:
    texts, behind = _behind(text), _behind(label)
    end = behind[1].index(b">") + 1
    threats = behind[0] + behind[1][:end], behind[1][end:]
    words, threat = b"<freetext>few words</freetext>", b"<riskThreat><code>R20</code><label>x</label></riskThreat>"
    yield "empty repeated texts", room.filled(texts, b"<freetext/>"), TAKEN
    yield "repeated texts of few words", room.filled(texts, words), TAKEN
    yield "repeated texts, then one unknown", room.filled(texts, words, b"<a/>"), 300
    yield "repeated texts with an attribute", room.filled(texts, b'<freetext a=""/>'), 300
    yield "right classes", room.filled(threats, threat), TAKEN
    yield "right classes, then one spoilt", room.filled(threats, threat, b"<riskThreat/>"), 300
    yield "right classes, one with an attribute", room.filled(threats, threat, b'<riskThreat a=""/>'), 300
    yield "right classes, each with an attribute", room.filled(threats, threat.replace(b"<code", b'<code a=""')), 300
    yield "right classes, a wrong code in each", room.filled(threats, threat.replace(b"R20", b"x")), 300
    yield "classes without their fields", room.filled(threats, b"<riskThreat/>"), 300


def _heads(room: Room, behind: Around, plain: bytes) -> Made:
    start = plain.index(b"<edxl")
    root_end = plain.index(b">", start) + 1
    tag = plain[: root_end - 1], plain[root_end - 1 :]
    much = b"u" * (room.bytes // 2)
    yield "attributes", room.filled(tag, lambda n: b' a%06d=""' % n), 300
    yield "the same attribute", room.filled(tag, b' a=""'), 300
    yield "namespaces", room.filled(tag, lambda n: b' xmlns:a%06d="u"' % n), TAKEN
    yield "an attribute without end", room.filled((tag[0] + b' a="', b'"' + tag[1]), b"u"), 300
    yield "prefixes without namespace", room.filled(behind, b"<p:a/>"), 300
    unknown = plain[:start] + b'<a xmlns="' + much + b'">', b"</a>"
    known = plain[:start] + plain[start:root_end].replace(b"urn:oasis", b"urn:" + much), b"</edxlDistribution>"
    prefixed = plain[: root_end - 1] + b' xmlns:p="' + much + b'">', plain[root_end:]
    yield "a long namespace on unknown elements", room.filled(unknown, b"<b/>"), 300
    yield "a long namespace on known elements", room.filled(known, b"<b/>"), 300
    yield "a long namespace on prefixed elements", room.filled(prefixed, b"<p:a/>"), 300
    yield "a long namespace on attributes", room.filled(prefixed, b'<a p:a=""/>'), 300
    spaced = plain[: root_end - 1] + b" xmlns:p\n=\n'" + much + b"'>", plain[root_end:]
    yield "a long namespace, written otherwise", room.filled(spaced, b"<p:a/>"), 300


def _signs(room: Room, text: Around) -> Made:
    yield "references to characters", room.filled(text, b"&#101;"), TAKEN
    yield "references to entities", room.filled(text, b"&lt;"), TAKEN
    yield "references to unknown entities", room.filled(text, b"&a;"), 300
    yield "sections of characters", room.filled(text, b"<![CDATA[x]]>"), TAKEN
    yield "comments", room.filled(text, b"x<!---->"), TAKEN
    yield "instructions", room.filled(text, b"<?a?>"), TAKEN
    yield "carriage returns", room.filled(text, b"\r"), TAKEN
    yield "a text without end", room.filled(text, b"x"), TAKEN
    yield "a text of CJK", room.filled(text, "\u4e00".encode()), TAKEN
    yield "no XML, less-than signs", b"<" * room.bytes, 300
    yield "ids of no message", b"<distributionID>a<" * (room.bytes // 18), 300


def _prologs(room: Room) -> Made:
    behind = b"<!DOCTYPE a><a/>"
    yield "blanks before a DOCTYPE", room.filled((b"", behind), b" "), 300
    yield "instructions before a DOCTYPE", room.filled((b"", behind), b"<??>"), 300
    yield "comments before a DOCTYPE", room.filled((b"", behind), b"<!---->"), 300
    yield "an instruction without end before a DOCTYPE", room.filled((b"<?", behind), b"?"), 300
    yield "encodings", room.filled((b'<?xml version="1.0" ', b"?>"), b"encoding= "), 300
    entities = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(10))
    yield "entities in entities", b'<!DOCTYPE a [<!ENTITY l0 "ha">' + entities + b"]><a>&l10;</a>", 300
    yield "an entity of the machine", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', 300


# ---- parts ---------------------------------------------------------------------------------------


def _written(body: Body, holder: Any, way: tuple[str | int, ...], pack: Pack) -> Around:
    """The message's XML before and behind the text at a place."""
    for step in way[:-1]:
        holder = holder.setdefault(step, {}) if isinstance(step, str) else holder[step]
    holder[way[-1]] = [HERE] if way[-1] == "freetext" else HERE
    head, _, tail = pack.xml.write_message(encoded(body)).partition(HERE.encode())
    return head, tail


def _behind(text: Around) -> Around:
    """Behind the element whose text that is."""
    end = text[1].index(b">") + 1
    return text[0] + b"x" + text[1][:end], text[1][end:]
