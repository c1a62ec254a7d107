"""ACCEPTANCE.md 29, 29b and 30: copies that a client makes by itself, headers that it forges, an expired message behind
an unread one, and a key of nobody."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.amqp import ACCESS_REFUSED, Closed, Properties
from tests.support.hub import A2, CLIENTS, A, Hub, S
from tests.support.messages import encoded, message
from tests.support.party import MARK, Party, is_marked

pytest_plugins = ("tests.support.acceptance",)


def neighbour(hub: Hub, party: Party, *, same_shard: bool) -> Party:
    """Another client whose messages pass the same shard, or another one."""
    others = [client.id for client in CLIENTS if client.id not in (party.id, A2, "fr.health.fence")]
    found = [other for other in others if (hub.shard(other) == hub.shard(party.id)) is same_shard]
    assert found, f"every client is {'elsewhere' if same_shard else 'here'}: {[hub.shard(c.id) for c in CLIENTS]}"
    return hub.party(found[0])


def copies(hub: Hub) -> float:
    return hub.metric("hubex_misrouted_copies_total")


@pytest.mark.parametrize("same_shard", [False, True])
@pytest.mark.parametrize("own", [True, False], ids=["own-keys", "anothers-key"])
def test_29_a_message_with_cc_is_refused_with_one_report(hub: Hub, own: bool, same_shard: bool) -> None:
    a, b = hub.party(A), hub.party(A2)
    other = neighbour(hub, a, same_shard=same_shard)
    body = a.message(b)
    before = copies(hub)
    a.publish(body, headers={"CC": [a.key("ack") if own else other.key("message")]})
    try:
        assert a.amqp.confirm()
    except Closed as refused:
        # RabbitMQ 4 asks for the right to every key: then nothing was routed at all.
        assert not own and refused.code == ACCESS_REFUSED
    else:
        a.reported(200, body["distributionID"], "CC")
        if not own and not same_shard:
            hub.wait_metric("hubex_misrouted_copies_total", before + 1)
    hub.quiet(a, b, other)


def test_29_cc_to_every_shard_is_still_one_report(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    others = [hub.party(client.id) for client in CLIENTS if client.id != A]
    elsewhere = {hub.shard(other.id) for other in others} - {hub.shard(A)}
    before = copies(hub)
    body = a.message(b)
    a.publish(body, headers={"CC": [other.key("message") for other in others]})
    try:
        assert a.amqp.confirm()
    except Closed as refused:
        assert refused.code == ACCESS_REFUSED
    else:
        a.reported(200, body["distributionID"])
        hub.wait_metric("hubex_misrouted_copies_total", before + len(elsewhere))
    hub.quiet(a, *others[:3])


@pytest.mark.parametrize("same_shard", [False, True])
def test_29_a_message_with_bcc_arrives_once(hub: Hub, same_shard: bool) -> None:
    a, b = hub.party(A), hub.party(A2)
    other = neighbour(hub, a, same_shard=same_shard)
    body = a.message(b, identifier=f"{A}_{'here' if same_shard else 'elsewhere'}")
    before = copies(hub)
    sent = a.publish(body, headers={"BCC": [other.key("message")], "x-mine": "kept"})
    try:
        assert a.amqp.confirm()
    except Closed as refused:
        assert refused.code == ACCESS_REFUSED
    else:
        arrived = b.receives(sent)
        assert arrived.headers["x-mine"] == "kept"
        assert not {"CC", "BCC"} & arrived.headers.keys()
        if not same_shard:
            hub.wait_metric("hubex_misrouted_copies_total", before + 1)
            hub.wait_event("discarded", reason="misrouted_copy", body_bytes=len(sent))
    hub.quiet(a, b, other)


FORGED: dict[str, Any] = {
    "x-hub-key": f"{S}.out.message",
    "x-hub-attempt": 3,
    "x-hub-first-seen": 1,
    "x-hub-origin": "replay",
    "x-hub-possible-duplicate": True,
    "x-hub-publish": 4_000_000_000,
    "x-hub-reason": "rejected somewhere",
    "x-hub-history": "0 nothing;",
    "x-hub-reference": f"{S}_1",
    "x-hub-parked-at": 1,
    "x-hub-anything": "else",
    "x-delivery-count": 9,
    "x-death": [
        {
            "queue": "dispatch.00",
            "reason": "rejected",
            "count": 25,
            "exchange": "hub.shard",
            "routing-keys": ["dispatch.00"],
            "time": datetime.now(UTC),
        }
    ],
    "x-first-death-queue": "dispatch.00",
    "x-first-death-reason": "rejected",
    "x-first-death-exchange": "hub.shard",
    "x-last-death-queue": "dispatch.00",
    "x-last-death-reason": "rejected",
    "x-last-death-exchange": "hub.shard",
}
NEVER = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "CC", "BCC")


def forged_left(headers: dict[str, Any]) -> dict[str, Any]:
    """Headers that should not have reached a recipient with a forged value."""
    left = {name: value for name, value in headers.items() if FORGED.get(name) == value}
    # The broker itself counts deliveries in a queue.
    return {name: value for name, value in left.items() if name != "x-delivery-count" or value}


def test_29_forged_headers_never_reach_the_recipient(hub: Hub) -> None:
    a, b, s = hub.party(A), hub.party(A2), hub.party(S)
    before = time.time()
    sent = a.send(a.message(b), headers=FORGED | {"x-mine": "kept"}, user_id=A)
    arrived = b.receives(sent)
    headers = arrived.headers
    assert forged_left(headers) == {}
    assert "x-hub-anything" not in headers and MARK not in headers
    assert not [name for name in headers if name.startswith(NEVER[:3])]
    assert headers["x-hub-key"] == a.key("message")
    assert before - 5 <= headers["x-hub-first-seen"] / 1000 <= time.time() + 5
    assert headers["x-mine"] == "kept"
    hub.quiet(a, b, s)


def test_29_forged_headers_mislead_no_refusal(hub: Hub) -> None:
    """Neither to whom it goes nor what it says is taken from them."""
    a, s = hub.party(A), hub.party(S)
    body = a.message("fr.health.nobody")
    a.send(body, headers=FORGED)
    a.reported(501, body["distributionID"], "fr.health.nobody.in.message")
    hub.quiet(a, s)


def test_29_forged_headers_mislead_no_dead_letter(hub: Hub) -> None:
    """The 500 goes to the true sender and names the true death."""
    a, b, s = hub.party(A), hub.party(A2), hub.party(S)
    body = a.message(b)
    a.send(body, headers=FORGED)
    b.take("message", settle="reject")
    error = a.reported(500, body["distributionID"], "rejected", b.inbox("message"))
    assert "dispatch.00" not in error["errorCause"]
    hub.quiet(a, b, s)


def test_29_forged_headers_on_a_copy_in_another_shard(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    other = neighbour(hub, a, same_shard=False)
    before = copies(hub)
    # The copy claims to be the other one's own message, back from the ladder.
    forged = FORGED | {"x-hub-key": other.key("message"), "BCC": [other.key("message")]}
    sent = a.publish(a.message(b), headers=forged)
    try:
        assert a.amqp.confirm()
    except Closed as refused:
        assert refused.code == ACCESS_REFUSED
    else:
        arrived = b.receives(sent)
        assert arrived.headers["x-hub-key"] == a.key("message")
        hub.wait_metric("hubex_misrouted_copies_total", before + 1)
    hub.quiet(a, b, other)


def test_29_the_same_id_again_is_forwarded_with_the_mark(hub: Hub) -> None:
    """DELIVERY.md 9: the hub marks, it does not drop."""
    a, b = hub.party(A), hub.party(A2)
    sent = a.send(a.message(b))
    b.receives(sent)
    a.send(sent)
    b.receives(sent, marked=True)
    hub.quiet(a, b)


def test_29b_an_expired_message_behind_an_older_unread_one(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    older = a.send(a.message(b))
    late = a.message(b, expires_in_seconds=0.8)
    a.send(late)
    hub.wait_event("forwarded", distribution_id=late["distributionID"])
    time.sleep(max(0.0, datetime.fromisoformat(late["dateTimeExpires"]).timestamp() - time.time()) + 0.5)
    # It is expired, not at the head, and not reported: the next thing in A's inbox comes from a fence.
    fence = hub.party("fr.health.fence")
    a.receives(fence.send(fence.message(a, "Error")), "info")
    assert hub.admin.depth(b.inbox("message")) == 2
    b.receives(older)
    a.reported(500, late["distributionID"], "expired", b.inbox("message"))
    hub.quiet(a, b)


# ---- 30 ------------------------------------------------------------------------------------------

KEYS_OF_NOBODY = ("fr.health.gone.out.message", "", "fr.health.hub.samu050.out", "a.b.c." * 30)


@pytest.mark.parametrize("key", KEYS_OF_NOBODY, ids=["gone", "empty", "cut", "long"])
def test_30_a_key_of_nobody_is_parked_as_unknown(hub: Hub, key: str) -> None:
    a = hub.party(A)
    before = hub.metric("hubex_messages_parked_total", reason="unknown_key")
    body = message("fr.health.gone", A, identifier=f"fr.health.gone_{KEYS_OF_NOBODY.index(key) * 'x'}")
    payload = encoded(body)
    given = Properties(
        content_type="application/json", delivery_mode=2, message_id="m-30", headers=FORGED | {"x-mine": "kept"}
    )
    hub.admin.publish("hubsante", key, payload, given)
    assert hub.admin.confirm()
    parked = hub.admin.take("hub.parked")
    assert parked is not None and parked.body == payload
    headers, properties = parked.headers, parked.properties
    assert (properties.content_type, properties.message_id, properties.delivery_mode) == ("application/json", "m-30", 2)
    assert headers["x-mine"] == "kept"
    assert headers["x-hub-reason"] == "unknown_key"
    assert headers["x-hub-key"] == key
    assert headers["x-hub-reference"] == body["distributionID"]
    assert headers["x-hub-origin"] == "client"
    assert forged_left(headers) == {} and not is_marked(parked)
    # Until it expires, and no longer.
    assert 0 < int(properties.expiration or 0) <= 3_600_000
    hub.wait_metric("hubex_messages_parked_total", before + 1, reason="unknown_key")
    line = hub.wait_event("parked", reason="unknown_key", body_bytes=len(payload))
    assert line["queue"] == "hub.parked" and "status_code" not in line
    hub.quiet(a)


def test_30_even_what_is_no_message_at_all(hub: Hub) -> None:
    for payload in (b"", b"\xff", b"null", b"x" * 500_000):
        hub.admin.publish("hubsante", "nobody", payload, Properties())
        assert hub.admin.confirm()
        parked = hub.admin.take("hub.parked")
        assert parked is not None and parked.body == payload
        assert parked.headers["x-hub-reason"] == "unknown_key"
        assert parked.headers["x-hub-reference"] == "distributionID_could_not_be_extracted"
    hub.nothing_waits()


def test_30_a_thousand_years_of_life_are_a_day(hub: Hub) -> None:
    """An expiration that the broker would not take costs neither the message nor the channel."""
    body = message("fr.health.gone", A, expires_in_seconds=7000 * 365 * 86_400.0)
    hub.admin.publish("hubsante", "nobody", encoded(body), Properties(content_type="application/json", delivery_mode=2))
    assert hub.admin.confirm()
    parked = hub.admin.take("hub.parked")
    assert parked is not None and json.loads(parked.body) == body
    assert parked.properties.expiration is None or int(parked.properties.expiration) <= 86_400_000
    hub.nothing_waits()
