"""From a decision to what is published: outputs with their exchange, queue, properties and body (DELIVERY.md 3, 5, 7).

What climbs the ladder or is parked is always the input as it came, never an output.
"""

from functools import lru_cache
from typing import Final

from router.core import names
from router.core.conversion import CONTENT_TYPE
from router.core.decisions import Forward, Park, Refuse
from router.core.delivery import Delivery
from router.core.ladder import rung_after
from router.core.origin import attempt_of, client_key, death, first_seen_ms, has_copies, is_transient, written_in
from router.core.outcomes import Kind
from router.core.properties import entry, numbered, own, pack_number, retyped
from router.core.reading import read_envelope
from router.core.refusals import Code, cause
from router.core.report import Report, report, report_id
from validators import Pack

_MARK: Final = entry(names.HEADER_POSSIBLE_DUPLICATE, True)
_NO_PROPERTIES: Final = own("application/octet-stream")
"""Stands in for properties that cannot be read, when their message is parked."""
MAX_HISTORY_CHARACTERS: Final = 512
PARKED_MAX_MS: Final = 24 * 3600 * 1000
"""DELIVERY.md 7. Beyond a century (an expiry in the year 9999) the broker would close the channel for it."""


@lru_cache(maxsize=4096)
def _key_entry(key: str) -> bytes:
    """The header with the client's key; there are three keys a client."""
    return entry(names.HEADER_KEY, key)


class Output:
    """One publish: `first` and `last` are the halves of its properties around the publish number."""

    __slots__ = ("body", "delivery", "exchange", "first", "kind", "last", "published_at", "queue", "returned")

    def __init__(
        self, kind: Kind, delivery: Delivery, exchange: str, queue: str, halves: tuple[bytes, bytes], body: bytes
    ) -> None:
        self.kind, self.delivery, self.exchange, self.queue = kind, delivery, exchange, queue
        self.first, self.last = halves
        self.body = body
        self.published_at = 0.0
        self.returned = False

    def properties(self, number: int) -> bytes:
        """The encoded properties, once the publish has its number."""
        return b"".join((self.first, pack_number(number), self.last))


def forward(delivery: Delivery, decision: Forward, now: float) -> Output:
    """The message to its inbox; the mark is the delivery's."""
    assert delivery.properties is not None  # a message whose properties cannot be read is refused
    headers = _key_entry(decision.key) + entry(names.HEADER_FIRST_SEEN, first_seen_ms(delivery, now))
    if delivery.marked:
        headers += _MARK
    properties = delivery.properties
    if decision.converted_to is not None:
        headers += entry(names.HEADER_CONVERSION, decision.converted_to.value)
        properties = retyped(properties, CONTENT_TYPE[decision.converted_to])
    halves = numbered(properties, headers, decision.expiration_ms)
    return Output(Kind.FORWARD, delivery, names.INBOX_EXCHANGE, decision.queue, halves, decision.body)


def refusal(delivery: Delivery, decision: Refuse, pack: Pack, now: float) -> tuple[Output, ...]:
    """The error report, or nothing when nobody is left to report to."""
    client = decision.client
    if client is None:
        return ()
    told = Report(client, decision.code, decision.cause, decision.reference)
    return (_report(Kind.REPORT, delivery, told, pack, now),)


def parking(delivery: Delivery, decision: Park, pack: Pack, now: float) -> tuple[Output, ...]:
    """The parked copy and, where the sender is known, the report that says so: one unit."""
    headers = _history(delivery, decision.reason, decision.key, now) + b"".join(
        (
            entry(names.HEADER_REASON, decision.reason),
            entry(names.HEADER_REFERENCE, decision.reference),
            entry(names.HEADER_PARKED_AT, int(now * 1000)),
        )
    )
    properties = delivery.properties or _NO_PROPERTIES
    halves = numbered(properties, headers, _parked_ms(delivery, decision, pack, now))
    copy = Output(Kind.PARK, delivery, names.PARKED, names.PARKED, halves, delivery.body)
    if decision.client is None:
        return (copy,)
    text = cause("parked", reason=decision.reason)
    told = Report(decision.client, Code.DEAD_LETTER_QUEUED, text, decision.reference)
    return copy, _report(Kind.PARKED_REPORT, delivery, told, pack, now)


def climb(delivery: Delivery, reason: str, now: float) -> Output | None:
    """The input to its next rung, with the attempt counted; None after the last rung: park it."""
    attempt = attempt_of(delivery)
    rung = rung_after(attempt)
    if rung is None or delivery.properties is None:
        return None
    headers = _history(delivery, reason, client_key(delivery), now) + entry(names.HEADER_ATTEMPT, attempt + 1)
    kept = delivery.properties.text(names.HEADER_REASON)
    if delivery.exchange == names.DEAD_INBOX:
        kept = " ".join(death(delivery))
    if kept and delivery.believed:
        headers += entry(names.HEADER_REASON, kept)
    halves = numbered(delivery.properties, headers, None)
    return Output(Kind.RETRY, delivery, rung.name, delivery.queue, halves, delivery.body)


def _history(delivery: Delivery, reason: str, key: str, now: float) -> bytes:
    """Headers that every copy of an input carries: key, first seen, origin, and what happened so far."""
    properties = delivery.properties
    origin, before = names.ORIGIN_CLIENT, ""
    if properties is not None and delivery.believed:
        origin = properties.text(names.HEADER_ORIGIN) or origin
        before = properties.text(names.HEADER_HISTORY)
    history = f"{before}{int(now * 1000)} {reason};"[-MAX_HISTORY_CHARACTERS:]
    headers = [
        entry(names.HEADER_KEY, key),
        entry(names.HEADER_FIRST_SEEN, first_seen_ms(delivery, now)),
        entry(names.HEADER_ORIGIN, origin),
        entry(names.HEADER_HISTORY, history),
    ]
    said = [names.PUBLISHED_COPIES] * has_copies(delivery) + [names.PUBLISHED_TRANSIENT] * is_transient(delivery)
    if said:
        headers.append(entry(names.HEADER_PUBLISHED, " ".join(said)))
    return b"".join(headers)


def _parked_ms(delivery: Delivery, decision: Park, pack: Pack, now: float) -> int | None:
    """Until `dateTimeExpires`, where it may be read; the queue's 24 h rule otherwise. Poison is not decoded, and what a
    decision failed on is not decoded again."""
    if decision.reason in (names.REASON_POISON, names.REASON_BUG):
        return None
    form = written_in(delivery.properties, decision.client)
    read = read_envelope(delivery.body, form, pack) if form is not None else None
    return None if read is None else min(max(1, int((read[1] - now) * 1000)), PARKED_MAX_MS)


def _report(kind: Kind, delivery: Delivery, told: Report, pack: Pack, now: float) -> Output:
    identifier = report_id(delivery.body, client_key(delivery), now)
    content_type, body = report(told, identifier, pack, now)
    headers = _MARK if delivery.marked else b""
    inbox = told.client.inbox(names.INFO)
    return Output(kind, delivery, names.INBOX_EXCHANGE, inbox, numbered(own(content_type), headers, None), body)
