"""ACCEPTANCE.md 26: a thousand messages, one in ten of them invalid, in ten ways."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.hub import A2, A, Hub, S
from tests.support.messages import Body, encoded, in_seconds, inner
from tests.support.party import Party, error_of, is_marked

pytest_plugins = ("tests.support.acceptance",)

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
