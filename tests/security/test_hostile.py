"""Hostile inputs against a running hub on the real broker: each ends in a forward, in a report, or in the broker's own
refusal, named by its code; no worker dies, and nothing forged reaches a recipient."""

import time
from collections import Counter
from itertools import islice
from random import Random
from typing import Any

import pytest

from router.core import names
from tests.conftest import Scale
from tests.support.amqp import Closed, Lost, Properties
from tests.support.bombs import Room, bombs
from tests.support.hostile import BROKER_HEADERS, HUB_HEADERS, hostile
from tests.support.hub import A2, MIB, A, B, Hub, wait_until
from tests.support.messages import encoded
from tests.support.party import KINDS, Party
from validators.limits import MAX_VALUES

pytest_plugins = ("tests.support.acceptance",)

PRECONDITION, FRAME, SYNTAX, UNEXPECTED, INTERNAL = 406, 501, 502, 505, 541
WITHOUT_A_WORD = 0
"""The connection is cut."""


def workers(hub: Hub) -> list[int]:
    """The workers that started so far, by process; one that dies is followed by another."""
    found = [event["facts"]["pid"] for event in hub.events("notice", name="worker_started")]
    assert found
    return found


def answered(hub: Hub, *parties: Party) -> int:
    """What lies in their inboxes."""
    return sum(hub.admin.depth(party.inbox(kind)) for party in parties for kind in KINDS)


def all_answered(hub: Hub, stored: int, *parties: Party) -> None:
    """As many answers as inputs, none waiting; then the inboxes are empty again."""
    wait_until(f"{stored} answers", lambda: answered(hub, *parties) >= stored and not hub.waiting(), 60)
    assert answered(hub, *parties) == stored
    hub.clear()


def test_each_hostile_input_is_answered_or_refused_by_the_broker(hub: Hub, scale: Scale) -> None:
    sender, recipients = hub.party(A2), [hub.party(A), hub.party(B)]
    count, seed = scale(1500, 50_000), 0
    before, refused, stored = workers(hub), Counter[int](), 0
    for seed in range(count):
        rnd = Random(seed)
        given = hostile(rnd, sender.client, rnd.choice(recipients).client, hub.pack)
        try:
            sender.amqp.publish_raw(names.ENTRANCE, sender.key("message"), given.body, given.properties)
            assert sender.amqp.confirm(), f"seed {seed} was not stored"
            stored += 1
        except (Closed, Lost) as error:
            refused[error.code if isinstance(error, Closed) else WITHOUT_A_WORD] += 1
            sender.close()
        if stored % 1000 == 999:
            all_answered(hub, 999, sender, *recipients)
            stored = 0
    all_answered(hub, stored, sender, *recipients)
    print(f"{count} inputs, refused by the broker: {dict(refused)}")
    assert set(refused) <= {PRECONDITION, FRAME, SYNTAX, INTERNAL}
    assert workers(hub) == before
    assert hub.metric("hubex_worker_restarts_total") == 0


def test_each_bomb_is_answered(hub: Hub, scale: Scale) -> None:
    sender, recipient = hub.party(A2), hub.party(A)
    before, stored = workers(hub), 0
    every = scale(8, 1)
    chosen = islice(bombs(sender.id, recipient.id, hub.pack, Room(MIB - 1, MAX_VALUES)), None, None, every)
    for bomb in chosen:
        sender.send(bomb.body, key=sender.key("message"), content_type=f"application/{bomb.form}")
        stored += 1
    all_answered(hub, stored, sender, recipient)
    assert workers(hub) == before


REFUSED_PROPERTIES: dict[str, tuple[dict[str, Any], int]] = {
    "a user that it is not": ({"user_id": A}, PRECONDITION),
    "an expiration in words": ({"expiration": "soon"}, PRECONDITION),
    "a negative expiration": ({"expiration": "-1"}, PRECONDITION),
    "a broken expiration": ({"expiration": "1.5"}, PRECONDITION),
    "an expiration of a century": ({"expiration": "3155760000000"}, PRECONDITION),
    "a direct reply": ({"reply_to": "amq.rabbitmq.reply-to"}, PRECONDITION),
    "CC that is no list": ({"headers": {"CC": "fr.health.x"}}, PRECONDITION),
}


@pytest.mark.parametrize("what", REFUSED_PROPERTIES)
def test_the_broker_refuses(hub: Hub, what: str) -> None:
    sender, recipient = hub.party(A2), hub.party(A)
    properties, code = REFUSED_PROPERTIES[what]
    try:
        with pytest.raises(Closed) as refused:
            sender.send(sender.message(recipient), **properties)
    finally:
        sender.close()
    assert refused.value.code == code
    hub.quiet(sender, recipient)


@pytest.mark.parametrize("size", (MIB + 1, 100 * 1000 * 1000), ids=("a byte too much", "100 MB"))
def test_the_broker_refuses_a_body_above_the_limit(hub: Hub, size: int) -> None:
    sender, recipient = hub.party(A2), hub.party(A)
    try:
        with pytest.raises((Closed, Lost)) as refused:
            sender.send(b"x" * size)
    finally:
        sender.close()
    print(repr(refused.value))
    assert not isinstance(refused.value, Closed) or refused.value.code == PRECONDITION
    hub.quiet(sender, recipient)


BROKEN_FRAMES: dict[str, tuple[bytes, set[int]]] = {
    "a frame larger than frame_max": (b"\x01\x00\x01\x7f\xff\xff\xff", {FRAME}),
    "a frame without its end": (b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x50\x00", {FRAME}),
    "a frame of no kind": (b"\x09\x00\x01\x00\x00\x00\x00\xce", {FRAME, UNEXPECTED}),
    "a method of no class": (
        b"\x01\x00\x01\x00\x00\x00\x04\xff\xff\xff\xff\xce",
        {WITHOUT_A_WORD, SYNTAX, 503, 540, INTERNAL},
    ),
    "a body before its method": (b"\x03\x00\x01\x00\x00\x00\x01x\xce", {WITHOUT_A_WORD, UNEXPECTED}),
}


@pytest.mark.parametrize("what", BROKEN_FRAMES)
def test_the_broker_ends_the_connection_for(hub: Hub, what: str) -> None:
    sender, recipient = hub.party(A2), hub.party(A)
    data, codes = BROKEN_FRAMES[what]
    sender.amqp.send_bytes(data)
    try:
        with pytest.raises((Closed, Lost)) as refused:
            wait_until("the broker's word", lambda: sender.amqp.look())
    finally:
        sender.close()
    print(repr(refused.value))
    assert (refused.value.code if isinstance(refused.value, Closed) else WITHOUT_A_WORD) in codes, refused.value
    hub.quiet(sender, recipient)


FORGERIES: tuple[Any, ...] = (1, 99, True, "forged", "replay", [{"a": [1]}], {"a": {"b": "c"}}, None)


@pytest.mark.parametrize("forged", FORGERIES, ids=repr)
def test_a_hub_header_of_a_clients_is_never_trusted(hub: Hub, forged: Any) -> None:
    """Every one of them at once, those of the broker too: the message is a first arrival from its own client."""
    sender, recipient = hub.party(A), hub.party(A2)
    begun = time.time() * 1000
    headers = dict.fromkeys((*HUB_HEADERS, *BROKER_HEADERS), forged)
    sent = sender.send(sender.message(recipient), headers={**headers, "own": "kept"})
    arrived = recipient.receives(sent)
    assert arrived.headers.pop("own") == "kept"
    assert arrived.headers.pop(names.HEADER_KEY) == sender.key("message")
    assert begun - 60_000 < arrived.headers.pop(names.HEADER_FIRST_SEEN) < time.time() * 1000 + 60_000
    assert type(arrived.headers.pop(names.HEADER_PUBLISH)) is int
    assert arrived.headers == {}
    refused = sender.message(recipient)
    refused["distributionStatus"] = "none"
    sender.send(refused, headers=headers)
    sender.reported(300, refused["distributionID"])
    hub.quiet(sender, recipient)


def test_a_forged_header_does_not_climb_the_ladder(hub: Hub) -> None:
    """Properties that the hub cannot read are refused, however much is forged in them."""
    sender, recipient = hub.party(A), hub.party(A2)
    headers = dict.fromkeys(HUB_HEADERS, "x" * 2000)
    message = sender.message(recipient)
    sender.amqp.publish(names.ENTRANCE, sender.key("message"), encoded(message), _with(headers))
    assert sender.amqp.confirm()
    sender.reported(300, message["distributionID"])
    hub.quiet(sender, recipient)


def _with(headers: dict[str, Any]) -> Properties:
    return Properties(content_type="application/json", delivery_mode=2, headers=headers)
