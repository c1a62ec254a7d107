"""The decision on what comes from the hub's own queues, on poison; and one decision for any bytes from anywhere."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.core import names, outputs
from router.core.decide import decide, park
from router.core.decisions import Discard, Forward, Park, Refuse, Retry
from router.core.delivery import Delivery, Role
from router.core.origin import attempt_of, client_key, first_seen_ms, is_marked
from router.core.refusals import Code
from router.core.report import report_body, report_id
from tests.router.core.making import (
    FLAT,
    NOW,
    SAMU,
    SAMU2,
    SDIS,
    body,
    decoded,
    delivery,
    from_hub,
    pack,
    raw_properties,
    rules,
)

RULES = rules()
KEY = SAMU.publish_keys[0]
REFERENCE = f"{SAMU.id}_1"
FORGED: dict[str, Any] = {
    "x-hub-key": SAMU2.publish_keys[0],
    "x-hub-attempt": 3,
    "x-hub-first-seen": 1,
    "x-hub-reference": "forged",
}
QUEUES = {
    Role.SHARD: names.shard_queue(2),
    Role.UNKNOWN: names.UNKNOWN_QUEUE,
    Role.DEAD_INBOX: names.DEAD_INBOX,
    Role.DEAD_SHARD: names.DEAD_SHARD,
    Role.DEAD_PARKED: names.DEAD_PARKED,
}


def given_from(role: Role, payload: bytes, key: str, exchange: str, **values: Any) -> Delivery:
    return delivery(payload, key, role=role, queue=QUEUES[role], exchange=exchange, **values)


# ---- an inbox's dead letters ---------------------------------------------------------------------


def dead(payload: bytes, reason: str = "expired", queue: str = SDIS.inboxes[0], **values: Any) -> Delivery:
    death = {"reason": reason, "queue": queue, "count": 1, "exchange": names.INBOX_EXCHANGE, "routing-keys": [queue]}
    headers = {"x-hub-key": KEY, "x-hub-publish": 9, "x-death": [death], **values.pop("headers", {})}
    return given_from(Role.DEAD_INBOX, payload, queue, names.DEAD_INBOX, headers=headers, **values)


@pytest.mark.parametrize("reason", ("expired", "rejected", "delivery_limit", "maxlen"))
@pytest.mark.parametrize("queue", (SDIS.inboxes[0], FLAT.inboxes[2]))
def test_9_a_dead_message_is_reported_500_to_its_sender_with_why_and_where(reason: str, queue: str) -> None:
    decision = decide(dead(body(), reason, queue), RULES, NOW)
    assert isinstance(decision, Refuse)
    assert (decision.code, decision.client, decision.key) == (Code.DEAD_LETTER_QUEUED, SAMU, KEY)
    assert decision.reference == REFERENCE
    for half in decision.cause.split(" / "):
        assert reason in half and queue in half


def test_6_an_expired_message_is_reported_500_not_refused_again() -> None:
    decision = decide(dead(body(dateTimeExpires="2020-01-01T00:00:00+00:00")), RULES, NOW)
    assert isinstance(decision, Refuse) and decision.code == 500


def test_9_the_newest_death_is_the_one_told() -> None:
    """Newest first: an inbox of an earlier life may stand behind it."""
    deaths = [{"reason": "rejected", "queue": "new.in.message"}, {"reason": "expired", "queue": "old.in.message"}]
    decision = decide(dead(body(), headers={"x-death": deaths}), RULES, NOW)
    assert isinstance(decision, Refuse)
    assert "rejected" in decision.cause and "new.in.message" in decision.cause and "expired" not in decision.cause


@pytest.mark.parametrize(
    "deaths", (None, [], {}, "x", 7, [7], [{}], [{"reason": 7, "queue": None}], [[{"reason": "x"}]])
)
def test_9_a_death_that_cannot_be_read_is_reported_all_the_same(deaths: Any) -> None:
    decision = decide(dead(body(), headers={"x-death": deaths}), RULES, NOW)
    assert isinstance(decision, Refuse)
    assert (decision.code, decision.client, decision.reference) == (500, SAMU, REFERENCE)


def test_9_properties_that_cannot_be_read_still_leave_an_end() -> None:
    given = given_from(Role.DEAD_INBOX, body(), SDIS.inboxes[0], names.DEAD_INBOX, raw=b"\xff\xff")
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Refuse) and decision.client is None


def test_10_a_dead_error_report_is_discarded() -> None:
    report = report_body(SAMU.id, Code.INVALID_MESSAGE, "c", "r", report_id(b"x", KEY, NOW), NOW)
    for headers in ({"x-hub-key": None}, {}):  # the hub's own has no key; a client's own Error has one
        decision = decide(dead(report, queue=SAMU.inboxes[2], headers=headers), RULES, NOW)
        assert isinstance(decision, Discard) and decision.reason == "dead_report"
    decision = decide(dead(body(distributionKind="Error")), RULES, NOW)
    assert isinstance(decision, Discard)


def test_a_dead_message_of_a_client_that_is_gone_is_settled_unreported() -> None:
    decision = decide(dead(body(), headers={"x-hub-key": "fr.gone.out.message"}), RULES, NOW)
    assert isinstance(decision, Refuse) and decision.client is None
    assert outputs.refusal(dead(body()), decision, pack(), NOW) == ()


def test_a_dead_message_that_cannot_be_read_is_reported_with_what_is_found() -> None:
    decision = decide(dead(body()[:-1]), RULES, NOW)
    assert isinstance(decision, Refuse) and decision.reference == REFERENCE
    decision = decide(dead(b"[" * 50_000), RULES, NOW)
    assert isinstance(decision, Refuse) and decision.reference == names.NO_REFERENCE


# ---- unknown keys, the delivery limit, what expired while parked ---------------------------------


@pytest.mark.parametrize("exchange", (names.ENTRANCE, names.UNKNOWN_EXCHANGE))
def test_30_an_unknown_key_is_parked_as_such(exchange: str) -> None:
    for payload, reference in ((body(), REFERENCE), (b"x", names.NO_REFERENCE)):
        decision = decide(given_from(Role.UNKNOWN, payload, "who.knows", exchange, headers=FORGED), RULES, NOW)
        assert decision == Park(names.REASON_UNKNOWN_KEY, reference, None, "who.knows", decision.facts)


def test_30_a_key_that_is_known_by_now_is_reported_too() -> None:
    decision = decide(given_from(Role.UNKNOWN, body(), KEY, names.ENTRANCE), RULES, NOW)
    assert isinstance(decision, Park) and (decision.reason, decision.client) == (names.REASON_UNKNOWN_KEY, SAMU)


@pytest.mark.parametrize("payload", (body(), b"\xff", b"", b"[" * 100_000))
def test_what_the_brokers_limit_struck_is_parked_as_poison_undecoded(
    payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_decoding(monkeypatch)
    decision = decide(given_from(Role.DEAD_SHARD, payload, KEY, names.DEAD_SHARD, headers=FORGED), RULES, NOW)
    assert isinstance(decision, Park)
    assert (decision.reason, decision.client, decision.key) == (names.REASON_POISON, SAMU, KEY)


def test_what_expired_while_parked_is_discarded_with_its_reference() -> None:
    headers = {"x-hub-key": KEY, "x-hub-reference": REFERENCE}
    given = given_from(Role.DEAD_PARKED, b"anything", names.PARKED, names.DEAD_PARKED, headers=headers)
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Discard)
    assert (decision.reason, decision.key, decision.facts.distribution_id) == ("parked_expired", KEY, REFERENCE)


def test_what_expired_while_parked_is_never_parked_again() -> None:
    """Nothing is kept longer than a day, however often the worker crashed meanwhile."""
    headers = {"x-hub-key": KEY, "x-delivery-count": 50}
    given = given_from(
        Role.DEAD_PARKED, b"anything", names.PARKED, names.DEAD_PARKED, redelivered=True, headers=headers
    )
    assert isinstance(decide(given, RULES, NOW), Discard)


# ---- poison --------------------------------------------------------------------------------------


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded_all_the_same(*_: object) -> None:
        pytest.fail("the body was decoded")

    from router.core import decide as decide_module
    from router.core import envelope as envelope_module

    for name in ("read", "read_envelope", "reference_id"):
        monkeypatch.setattr(decide_module, name, decoded_all_the_same)
    monkeypatch.setattr(envelope_module, "_decode", decoded_all_the_same)
    monkeypatch.setattr(outputs, "read_envelope", decoded_all_the_same)


def test_poison_is_parked_from_the_eighth_return_on_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in range(8):
        decision = decide(delivery(body(), redelivered=True, headers={"x-delivery-count": count}), RULES, NOW)
        assert isinstance(decision, Forward), count
    forbid_decoding(monkeypatch)
    for count in (8, 9, 19, 2**40):
        for payload, reference in ((body(), REFERENCE), (b"\xff" * 99, names.NO_REFERENCE), (b"", names.NO_REFERENCE)):
            given = delivery(payload, redelivered=True, headers={"x-delivery-count": count})
            decision = decide(given, RULES, NOW)
            assert decision == Park(names.REASON_POISON, reference, SAMU, KEY, decision.facts)
            copy, report = outputs.parking(given, decision, pack(), NOW)
            assert copy.body is payload and report.queue == SAMU.inbox("info")


@pytest.mark.parametrize("count", (None, "8", True, [8], -1, 8.0))
def test_poison_is_an_integer_that_the_broker_counts(count: Any) -> None:
    decision = decide(delivery(body(), redelivered=True, headers={"x-delivery-count": count}), RULES, NOW)
    assert isinstance(decision, Forward)


def test_poison_is_not_what_a_client_says_of_a_first_delivery() -> None:
    """Newer brokers put no count on a first delivery: then the header is the client's."""
    given = delivery(body(), headers={"x-delivery-count": 99})
    assert given.delivery_count == 0
    assert isinstance(decide(given, RULES, NOW), Forward)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.DEAD_PARKED])
def test_poison_is_parked_wherever_it_comes_from(role: Role) -> None:
    headers = {"x-hub-key": KEY, "x-delivery-count": 8}
    given = given_from(role, body(), QUEUES[role], names.SHARD_EXCHANGE, redelivered=True, headers=headers)
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Park) and (decision.reason, decision.client) == (names.REASON_POISON, SAMU)


# ---- whose headers are believed ------------------------------------------------------------------

BELIEVED = (
    (Role.SHARD, names.SHARD_EXCHANGE, "dispatch.02", True),
    (Role.SHARD, names.ENTRANCE, KEY, False),
    (Role.SHARD, "", KEY, False),
    (Role.UNKNOWN, names.SHARD_EXCHANGE, names.UNKNOWN_QUEUE, True),
    (Role.UNKNOWN, names.ENTRANCE, KEY, False),
    (Role.UNKNOWN, names.UNKNOWN_EXCHANGE, KEY, False),
    (Role.DEAD_INBOX, names.DEAD_INBOX, SDIS.inboxes[0], True),
    (Role.DEAD_INBOX, names.SHARD_EXCHANGE, names.DEAD_INBOX, True),
    (Role.DEAD_SHARD, names.DEAD_SHARD, "dispatch.02", True),
    (Role.DEAD_SHARD, names.DEAD_SHARD, KEY, False),
    (Role.DEAD_SHARD, names.SHARD_EXCHANGE, names.DEAD_SHARD, True),
    (Role.DEAD_SHARD, names.ENTRANCE, KEY, False),
    (Role.DEAD_PARKED, names.DEAD_PARKED, names.PARKED, True),
    (Role.DEAD_PARKED, names.ENTRANCE, KEY, False),
)


@pytest.mark.parametrize("role, exchange, key, believed", BELIEVED)
def test_hub_headers_are_believed_only_from_exchanges_that_clients_cannot_write_to(
    role: Role, exchange: str, key: str, believed: bool
) -> None:
    given = given_from(role, body(), key, exchange, headers=FORGED)
    assert given.believed is believed
    assert client_key(given) == (SAMU2.publish_keys[0] if believed else key)
    assert attempt_of(given) == (3 if believed else 0)
    assert first_seen_ms(given, NOW) == (1 if believed else int(NOW * 1000))


@pytest.mark.parametrize(
    "given, marked",
    (
        (delivery(body()), False),
        (delivery(body(), headers={"x-hub-possible-duplicate": True, **FORGED}), False),
        (delivery(body(), redelivered=True), True),
        (from_hub(body()), True),
        (from_hub(body(), headers={"x-hub-origin": "replay"}), True),
        (dead(body()), False),
        (dead(body(), redelivered=True), True),
        (delivery(body(), raw=b"\xff\xff", redelivered=True), True),
    ),
)
def test_the_mark_is_for_what_may_be_a_copy(given: Delivery, marked: bool) -> None:
    assert is_marked(given) is marked


def test_a_negative_attempt_is_none() -> None:
    assert attempt_of(from_hub(body(), headers={"x-hub-attempt": -3})) == 0


# ---- any bytes from anywhere ---------------------------------------------------------------------

keys = st.sampled_from((KEY, SDIS.publish_keys[1], FLAT.id, "who.knows", "", "dispatch.02", "hub.dead.inbox", "\udcff"))
exchanges = st.sampled_from(
    (names.ENTRANCE, names.SHARD_EXCHANGE, names.UNKNOWN_EXCHANGE, "", *names.DEAD_QUEUES, names.INBOX_EXCHANGE)
)
header_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=10),
    st.lists(st.text(max_size=3)),
    keys.filter(lambda key: key != "\udcff"),
)
header_names = st.sampled_from(
    ("x-hub-key", "x-hub-attempt", "x-hub-first-seen", "x-hub-origin", "x-hub-history", "x-hub-reason",
     "x-hub-reference", "x-delivery-count", "x-death", "CC", "own")
)  # fmt: skip
raws = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(header_names, header_values, max_size=4).map(lambda headers: raw_properties(headers=headers)),
    st.sampled_from((raw_properties(), raw_properties(content_type=None), raw_properties(delivery_mode=1), b"\0\0")),
)
scalars = st.none() | st.text(max_size=5) | st.integers() | st.booleans()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2))
changes = st.dictionaries(st.sampled_from(sorted(orjson.loads(body()))), values, max_size=2)
payloads = st.one_of(
    st.binary(max_size=60),
    changes.map(lambda change: body(**{name: value for name, value in change.items() if _writable(value)})),
    st.tuples(st.integers(0, 900), st.integers(0, 255)).map(
        lambda spoil: body()[: spoil[0]] + bytes((spoil[1],)) + body()[spoil[0] + 1 :]
    ),
)


def _writable(value: Any) -> bool:
    try:
        return bool(orjson.dumps(value))
    except TypeError:
        return False


moments = st.floats(1.7e9, 1.8e9)


@given(st.sampled_from(Role), exchanges, keys, raws, payloads, st.booleans(), st.integers(0, 4), moments)
def test_every_delivery_gets_one_decision_and_its_outputs_whatever_its_bytes(
    role: Role, exchange: str, key: str, raw: bytes, payload: bytes, redelivered: bool, shard: int, now: float
) -> None:
    given = delivery(
        payload, key, role=role, queue=QUEUES[role], shard=shard, exchange=exchange, raw=raw, redelivered=redelivered
    )
    given.marked = is_marked(given)
    decision = decide(given, RULES, now)
    made: list[outputs.Output | None] = [outputs.climb(given, "reason", now)]
    made += outputs.parking(given, park(given, RULES, "reason"), pack(), now)
    if isinstance(decision, Forward):
        assert given.body is payload
        made.append(outputs.forward(given, decision, now))
    elif isinstance(decision, Refuse):
        assert decision.cause.count(" / ") >= 1 and decision.reference
        made += outputs.refusal(given, decision, pack(), now)
    elif isinstance(decision, Park):
        made += outputs.parking(given, decision, pack(), now)
    else:
        assert isinstance(decision, Retry | Discard)
    for output in made:
        if output is not None:
            read = ContentHeader()
            read.unmarshal(b"\x00\x3c\x00\x00" + bytes(8) + output.first + b"\x00" * 7 + b"\x01" + output.last)
            assert isinstance(read.properties, Basic.Properties) and read.properties.delivery_mode == 2
            assert len(output.queue.encode("utf-8", "surrogateescape")) <= 255


def test_a_forward_is_the_only_way_to_an_inbox_of_another() -> None:
    """Reports go to the client of the key, whoever the envelope names."""
    decision = decide(delivery(body(SAMU2, SDIS)), RULES, NOW)
    assert isinstance(decision, Refuse)
    (report,) = outputs.refusal(delivery(body(SAMU2, SDIS)), decision, pack(), NOW)
    assert report.queue == SAMU.inbox("info")
    assert decoded(report.first, report.last).headers == {"x-hub-publish": 1}
