"""ACCEPTANCE.md 3 to 10, 26 and 27: what reaches which inbox, and what comes back when it cannot stay there."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.hub import A2, A, Hub, S
from tests.support.messages import Body, encoded, in_seconds, inner, message
from tests.support.party import Party, error_of, is_marked

pytest_plugins = ("tests.support.acceptance",)
DAY_SECONDS = 86_400


def odd_bytes(body: Body) -> bytes:
    """The same message, written as no library of ours would: blanks, escapes, a number with a zero too many."""
    text = json.dumps(body, ensure_ascii=True, indent=3)
    return text.replace('": ', '" :\t').replace("/", "\\/").encode() + b"\r\n"


def test_the_samples_are_valid(hub: Hub) -> None:
    for kind in ("Report", "Update", "Cancel", "Ack", "Error"):
        assert hub.pack.check_message(odd_bytes(message(A, A2, kind))) == ()


# 3, in both namings
@pytest.mark.parametrize(("sender", "recipient"), [(A, A2), (A2, A)])
def test_03_the_body_is_byte_for_byte_what_was_sent(hub: Hub, sender: str, recipient: str) -> None:
    a, b = hub.party(sender), hub.party(recipient)
    body = odd_bytes(a.message(b))
    a.send(body, headers={"x-mine": "kept"}, message_id="m-1", correlation_id="c-1", app_id="editor", priority=3)
    arrived = b.receives(body)
    properties = arrived.properties
    assert properties.content_type == "application/json"
    assert (properties.message_id, properties.correlation_id) == ("m-1", "c-1")
    assert (properties.app_id, properties.priority) == ("editor", 3)
    assert arrived.headers["x-mine"] == "kept"
    assert not arrived.redelivered
    hub.quiet(a, b)


def test_04_the_ten_steps(hub: Hub) -> None:
    sdis, samu = hub.party(S), hub.party(A)
    case = sdis.message(samu)
    sent = sdis.send(case, key="fr.fire.nexsis.sdis-50.out.message")
    arrived = samu.amqp.take("fr.health.hub.samu050.in.message")
    assert arrived is not None and arrived.body == sent
    acknowledgement = samu.message(sdis, "Ack", about=case["distributionID"])
    sent = samu.send(acknowledgement, key="fr.health.hub.samu050.out.ack")
    arrived = sdis.amqp.take("fr.fire.nexsis.sdis-50.in.ack")
    assert arrived is not None and arrived.body == sent
    hub.quiet(sdis, samu)


# 5, in both namings of both parties
@pytest.mark.parametrize("recipient", [S, A2])
@pytest.mark.parametrize(
    ("kind", "inbox"),
    [("Ack", "ack"), ("Error", "info"), ("Report", "message"), ("Update", "message"), ("Cancel", "message")],
)
def test_05_each_kind_has_its_inbox(hub: Hub, kind: str, inbox: str, recipient: str) -> None:
    a, b = hub.party(A), hub.party(recipient)
    b.receives(a.send(a.message(b, kind)), inbox)
    a.receives(b.send(b.message(a, kind)), inbox)
    hub.quiet(a, b)


def test_06_an_expiry_in_two_seconds_is_the_expiration_and_then_a_500(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    read, unread = (a.message(b, expires_in_seconds=2.0) for _ in range(2))
    a.send(read)
    a.send(unread)
    arrived = b.take("message")
    assert json.loads(arrived.body)["distributionID"] == read["distributionID"]
    assert 0 < int(arrived.properties.expiration or 0) <= 2000
    # The other one lies in its inbox now, nobody reads it.
    hub.wait_event("forwarded", distribution_id=unread["distributionID"])
    a.reported(500, unread["distributionID"], "expired", b.inbox("message"))
    assert in_seconds(0) >= unread["dateTimeExpires"]
    hub.quiet(a, b)


@pytest.mark.parametrize("days", [1.01, 3])
def test_07_an_expiry_beyond_the_inbox_ttl_leaves_it_to_the_inbox(hub: Hub, days: float) -> None:
    a, b = hub.party(A), hub.party(A2)
    arrived = b.receives(a.send(a.message(b, expires_in_seconds=days * DAY_SECONDS)))
    assert arrived.properties.expiration is None
    policies = hub.management.get("policies", hub.vhost)
    for inbox in (b.inbox("message"), a.inbox("info")):
        [policy] = [each for each in policies if re.search(each["pattern"], inbox)]
        assert policy["definition"]["message-ttl"] == DAY_SECONDS * 1000
    hub.quiet(a, b)


def test_07_an_expiration_of_the_clients_own_is_not_believed(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    arrived = b.receives(a.send(a.message(b, expires_in_seconds=3 * DAY_SECONDS), expiration="86400000"))
    assert arrived.properties.expiration is None
    hub.quiet(a, b)


@pytest.mark.parametrize("kind", ["Report", "Ack"])
def test_09_a_message_that_its_recipient_rejects_is_a_500(hub: Hub, kind: str) -> None:
    a, b = hub.party(A), hub.party(S)
    inbox = "ack" if kind == "Ack" else "message"
    sent = a.message(b, kind)
    a.send(sent)
    b.take(inbox, settle="reject")
    a.reported(500, sent["distributionID"], "rejected", b.inbox(inbox))
    hub.quiet(a, b)


def test_09_a_requeue_is_no_reject(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(S)
    sent = a.send(a.message(b))
    b.take("message", settle="requeue")
    assert b.receives(sent).redelivered
    hub.quiet(a, b)


# 10
def _dead_report(hub: Hub, party: Party) -> None:
    refused = party.message("fr.health.nobody")
    party.send(refused)
    report = party.take("info", settle="reject")
    hub.wait_event("discarded", distribution_id=json.loads(report.body)["distributionID"], reason="dead_report")
    hub.quiet(party)


def test_10_a_dead_error_report_is_the_end_of_it(hub: Hub) -> None:
    before = hub.metric("hubex_messages_discarded_total", reason="dead_report")
    for client in (A, S, A2):
        _dead_report(hub, hub.party(client))
    hub.wait_metric("hubex_messages_discarded_total", before + 3, reason="dead_report")


def test_10_nor_is_a_clients_own_error_report_reported_about(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(S)
    error = a.message(b, "Error")
    a.send(error)
    b.take("info", settle="reject")
    hub.wait_event("discarded", distribution_id=error["distributionID"], reason="dead_report")
    hub.quiet(a, b)


def test_10_a_report_about_a_dead_letter_that_dies_too(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(S)
    sent = a.message(b)
    a.send(sent)
    b.take("message", settle="reject")
    report = a.take("info", settle="reject")
    hub.wait_event("discarded", distribution_id=json.loads(report.body)["distributionID"], reason="dead_report")
    hub.quiet(a, b)


def test_27_two_in_flight_with_the_same_message_id(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    # Many pairs at once: the unroutable one comes first in every other pair.
    pairs = [(a.message(b), a.message("fr.health.nobody")) for _ in range(100)]
    bodies = []
    for number, pair in enumerate(pairs):
        for each in pair if number % 2 else reversed(pair):
            bodies.append((each, a.publish(each, message_id=f"the-same-{number // 2}")))
    assert a.amqp.confirm()
    payloads = {each["distributionID"]: payload for each, payload in bodies}
    for number, (routable, _) in enumerate(pairs):
        arrived = b.receives(payloads[routable["distributionID"]])
        assert arrived.properties.message_id == f"the-same-{number // 2}"
    references = [a.report(501, "fr.health.nobody.in.message")["referencedDistributionID"] for _ in pairs]
    assert len(set(references)) == len(pairs)
    assert set(references) == {unroutable["distributionID"] for _, unroutable in pairs}
    hub.quiet(a, b)


# 26
MESSAGES = 1000
IN_FLIGHT = 50
How = dict[str, Any]


def _type(body: Body, how: How) -> bytes:
    how["content_type"] = "application/octet-stream"
    return encoded(body)


def _truncated(body: Body, how: How) -> bytes:
    return encoded(body)[:-30]


def _missing(body: Body, how: How) -> bytes:
    del body["dateTimeSent"]
    return encoded(body)


def _unknown(body: Body, how: How) -> bytes:
    inner(body)["createCase"]["wonder"] = 1
    return encoded(body)


def _two_use_cases(body: Body, how: How) -> bytes:
    inner(body)["reference"] = {"distributionID": "fr.health.x_1"}
    return encoded(body)


def _sender(body: Body, how: How) -> bytes:
    body["senderID"] = A2
    return encoded(body)


def _transient(body: Body, how: How) -> bytes:
    how["delivery_mode"] = 1
    return encoded(body)


def _prefix(body: Body, how: How) -> bytes:
    body["distributionID"] = "x-" + body["distributionID"]
    return encoded(body)


def _late(body: Body, how: How) -> bytes:
    body["dateTimeExpires"] = in_seconds(-1)
    return encoded(body)


def _no_inbox(body: Body, how: How) -> bytes:
    body["descriptor"]["explicitAddress"]["explicitAddressValue"] = "fr.health.nobody"
    return encoded(body)


TEN_WAYS: tuple[tuple[Callable[[Body, How], bytes], int], ...] = (
    (_type, 101),
    (_truncated, 300),
    (_missing, 300),
    (_unknown, 300),
    (_two_use_cases, 300),
    (_sender, 200),
    (_transient, 100),
    (_prefix, 300),
    (_late, 400),
    (_no_inbox, 501),
)


def _reports(party: Party, amount: int) -> Counter[tuple[int, str]]:
    """The next reports of an info inbox: (code, reference) of each."""
    found: Counter[tuple[int, str]] = Counter()
    for _ in range(amount):
        arrived = party.take("info")
        assert not is_marked(arrived)
        error = error_of(json.loads(arrived.body))
        found[error["errorCode"]["statusCode"], error["referencedDistributionID"]] += 1
    return found


def test_26_a_thousand_messages_ten_percent_invalid(hub: Hub) -> None:
    senders = [hub.party(f"fr.health.samu{number:03d}") for number in range(1, 5)]
    recipients = [hub.party(A), hub.party(A2), hub.party(S)]
    assert len({hub.shard(sender.id) % 2 for sender in senders}) == 2, "one worker would have it all"
    valid: dict[str, list[bytes]] = {recipient.id: [] for recipient in recipients}
    refused: dict[str, Counter[tuple[int, str]]] = {sender.id: Counter() for sender in senders}
    for number in range(MESSAGES):
        sender, recipient = senders[number % len(senders)], recipients[number % len(recipients)]
        body = sender.message(recipient)
        if number % 10 != 7:
            sent = sender.publish(body)
            valid[recipient.id].append(sent)
        else:
            spoil, code = TEN_WAYS[number // 10 % 10]
            how: How = {}
            payload = spoil(body, how)
            sender.publish(payload, key=sender.key("message"), **how)
            refused[sender.id][code, body["distributionID"]] += 1
        if number % IN_FLIGHT == 0:
            assert all(each.amqp.confirm() for each in senders)
    assert all(each.amqp.confirm() for each in senders)
    assert sum(map(len, valid.values())) == 900
    assert sum(each.total() for each in refused.values()) == 100

    for recipient in recipients:
        amqp, arrived = recipient.amqp, []
        consumer = amqp.consume(recipient.inbox("message"), prefetch=100)
        while len(arrived) < len(valid[recipient.id]):
            each = amqp.next()
            assert each is not None, f"{recipient.id}: {len(arrived)} of {len(valid[recipient.id])} arrived"
            amqp.ack(each)
            assert not is_marked(each) and not each.redelivered
            arrived.append(each.body)
        amqp.cancel(consumer)
        assert Counter(arrived) == Counter(valid[recipient.id]), "missing, twice, or another's"
        for sender in senders:
            own = [body for body in arrived if sender.id.encode() in body[:80]]
            assert own == [body for body in valid[recipient.id] if sender.id.encode() in body[:80]], "out of order"
    for sender in senders:
        assert _reports(sender, refused[sender.id].total()) == refused[sender.id]
    # None missing; and none twice, nor anything else, behind all that was sent:
    hub.quiet(*senders, *recipients)
