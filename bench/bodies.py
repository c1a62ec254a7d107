"""What the load is made of: thousands of different valid bodies of every shape, invalid ones in ten named ways.

Every message carries its publish number: its distributionID is `<senderID>_<number>`. A seed, a start, a client and a
number always give the same message.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

import orjson
from msgspec import Struct

from bench.templates import Sample, fill, load_samples
from router.core.names import KIND_OF_DISTRIBUTION

BODIES_MIN: Final = 5_000
"""Distinct bodies of a mix, ids apart, so that no cache in a router or broker flatters the figure."""
JSON_TYPE: Final = "application/json"
NOBODY: Final = "fr.health.bench.nobody"
"""A recipient without inbox; never in a directory."""

HEADLINE: Final[Mapping[str, float]] = {"rc-eda-road": 1.0, "rc-eda-fire": 1.0, "rc-eda-faint": 1.0}
"""RC-EDA of 3.3 KB on average: the mix of the headline figure."""
ISSUE_TWO: Final[Mapping[str, float]] = {**HEADLINE, "rc-ref": 1.5, "rs-error": 0.5}
"""The shapes that the first model pack has."""
MIXES: Final[Mapping[str, Mapping[str, float]]] = {"rc-eda": HEADLINE, "first": ISSUE_TWO, "all": {}}
"""Named mixes: sample -> weight; empty means every sample with the same weight."""

INVALID: Final[Mapping[str, int]] = {
    "content_type": 101,
    "truncated": 300,
    "not_utf8": 300,
    "missing_field": 300,
    "unknown_field": 300,
    "wrong_type": 300,
    "wrong_sender": 200,
    "not_persistent": 100,
    "expired": 400,
    "no_inbox": 501,
}
"""Way of being invalid -> the code it is refused with."""
_WAYS: Final = tuple(INVALID)

_ID, _FROM, _TO = "@ID@", "@FROM@", "@TO@"
_SLOT: Final = re.compile(rb"(@ID@|@FROM@|@TO@)")
_SLOT_INDEX: Final = {b"@ID@": 0, b"@FROM@": 1, b"@TO@": 2}
_ESCAPED_SHARE: Final = 1 / 8
"""Share of bodies written as many JSON libraries do: blanks after separators, non-ASCII escaped."""
_TAIL_BYTES: Final = 7
"""`}}}}}]}` ends every body: use case, message, three wrappers, content, envelope."""


class Message(Struct, frozen=True):
    """One message to publish. `kind` is the inbox kind its key and queue are named by; `refusal` 0: valid."""

    body: bytes
    kind: str
    content_type: str
    delivery_mode: int
    refusal: int


class Template(Struct, frozen=True):
    """A body in pieces: text and slots in turns; `slots` are indices into (id, sender, recipient)."""

    model: str
    kind: str
    pieces: tuple[bytes, ...]
    slots: tuple[int, ...]

    def render(self, values: Sequence[bytes]) -> bytes:
        parts = list(self.pieces)
        parts[1::2] = [values[slot] for slot in self.slots]
        return b"".join(parts)


class Bodies:
    """The messages of a run. `invalid_share` of them are invalid, spread over the ten ways.

    `started` (epoch seconds) is the dateTimeSent of all. Raises ValueError for a mix that names no sample.
    """

    def __init__(
        self,
        seed: int,
        started: float,
        mix: Mapping[str, float] = HEADLINE,
        invalid_share: float = 0.0,
        count: int = BODIES_MIN,
    ) -> None:
        self._seed = seed
        self._invalid_share = invalid_share
        self.templates = make_templates(seed, started, mix, count)

    def message(self, client: int, sender: str, recipient: str, number: int, like: int | None = None) -> Message:
        """Publish `number` of client `client` (its place in the run), from `sender` to `recipient`.

        `like`: the same message as that number's but for the number, which is what a resend is.
        """
        templates = self.templates
        original = number if like is None else like
        # A prime step walks through all bodies before one comes again, and clients start far apart.
        template = templates[(original * 7919 + client * 104_729) % len(templates)]
        way = self._way(client, original)
        if way == "no_inbox":
            recipient = NOBODY
        values = (f"{sender}_{number}".encode(), sender.encode(), recipient.encode())
        kind = KIND_OF_DISTRIBUTION[template.kind]
        if not way:
            return Message(template.render(values), kind, JSON_TYPE, 2, 0)
        return spoil(Message(template.render(values), kind, JSON_TYPE, 2, 0), way)

    def _way(self, client: int, number: int) -> str:
        """How this publish is invalid, or "": by a hash, so that a share of any run of numbers is."""
        if not self._invalid_share:
            return ""
        mixed = (number * 0x9E3779B97F4A7C15 + client * 0xC2B2AE3D27D4EB4F + self._seed) & 0xFFFF_FFFF_FFFF_FFFF
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 & 0xFFFF_FFFF_FFFF_FFFF
        mixed ^= mixed >> 32
        if (mixed & 0xFFFF) / 0x10000 >= self._invalid_share:
            return ""
        return _WAYS[(mixed >> 16) % len(_WAYS)]


def make_templates(seed: int, started: float, mix: Mapping[str, float], count: int) -> tuple[Template, ...]:
    """`count` different bodies, in the mix's shares, shuffled."""
    samples = load_samples()
    weights = mix or dict.fromkeys(samples, 1.0)
    if unknown := sorted(set(weights) - set(samples)):
        raise ValueError(f"no sample called {', '.join(unknown)}; there are {', '.join(samples)}")
    chance = Random(seed)
    names = chance.choices(list(weights), list(weights.values()), k=count)
    seen: set[bytes] = set()
    return tuple(_distinct(samples[name], started, chance, seen) for name in names)


def _distinct(sample: Sample, started: float, chance: Random, seen: set[bytes]) -> Template:
    while True:
        body = _write(_document(sample, started, chance), chance)
        if body not in seen:
            seen.add(body)
            break
    pieces = tuple(_SLOT.split(body))
    kind = re.search(rb'"distributionKind": ?"(\w+)"', body)
    assert kind is not None  # `_document` writes it
    return Template(sample.model, kind[1].decode(), pieces, tuple(_SLOT_INDEX[slot] for slot in pieces[1::2]))


def _document(sample: Sample, started: float, chance: Random) -> dict[str, Any]:
    zone = timezone(timedelta(hours=chance.choice((0, 1, 2))))
    sent = datetime.fromtimestamp(int(started), UTC).astimezone(zone)
    kind = fill(sample.kind, chance)
    header: dict[str, Any] = {}
    if sample.header:
        header = {
            "messageId": _ID,
            "sender": {"name": _FROM, "URI": f"hubex:{_FROM}"},
            "sentAt": sent.isoformat(),
            "kind": kind,
            "status": "Actual",
            "recipient": [{"name": _TO, "URI": f"hubex:{_TO}"}],
        }
    message = {**header, **fill(sample.message, chance)}
    return {
        "distributionID": _ID,
        "senderID": _FROM,
        "dateTimeSent": sent.isoformat(),
        "dateTimeExpires": (sent + timedelta(hours=chance.choice((10, 20, 72)))).isoformat(),
        "distributionStatus": "Actual",
        "distributionKind": kind,
        "descriptor": {
            "language": "fr-FR",
            "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": _TO},
        },
        "content": [{"jsonContent": {"embeddedJsonContent": {"message": message}}}],
    }


def _write(document: dict[str, Any], chance: Random) -> bytes:
    if chance.random() < _ESCAPED_SHARE:
        return json.dumps(document).encode()
    return orjson.dumps(document)


def spoil(message: Message, way: str) -> Message:
    """A valid message made invalid in one of the ways of `INVALID`, its id still there to be found."""
    body, content_type, mode = message.body, message.content_type, message.delivery_mode
    if way == "content_type":
        content_type = "application/octet-stream"
    elif way == "truncated":
        body = body[: len(body) * 2 // 3]
    elif way == "not_utf8":
        body = body.replace(b'"fr-FR"', b'"fr-\xff"', 1)
    elif way == "missing_field":
        body = re.sub(rb'"dateTimeSent": ?"[^"]*", ?', b"", body, count=1)
    elif way == "unknown_field":
        body = body[:-_TAIL_BYTES] + b',"surplus":1' + body[-_TAIL_BYTES:]
    elif way == "wrong_type":
        body = body.replace(b'"fr-FR"', b"33", 1)
    elif way == "wrong_sender":
        body = re.sub(rb'"senderID": ?"[^"]*"', b'"senderID":"%s"' % NOBODY.encode(), body, count=1)
    elif way == "not_persistent":
        mode = 1
    elif way == "expired":
        body = re.sub(rb'("dateTimeExpires": ?")20..', rb"\g<1>2020", body, count=1)
    return Message(body, message.kind, content_type, mode, INVALID[way])


def parse_mix(text: str) -> Mapping[str, float]:
    """A named mix, or `sample=weight,…`. Raises ValueError with what is allowed."""
    named = MIXES.get(text)
    if named is not None:
        return named
    try:
        return dict(_weights(text.split(",")))
    except ValueError:
        raise ValueError(f"a mix is one of {', '.join(MIXES)} or sample=weight,…, not {text!r}") from None


def _weights(parts: Iterable[str]) -> Iterable[tuple[str, float]]:
    for part in parts:
        name, _, weight = part.partition("=")
        if not 0 < float(weight or 1) < 1e6:
            raise ValueError
        yield name.strip(), float(weight or 1)
