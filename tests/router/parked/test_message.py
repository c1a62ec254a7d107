from hashlib import sha256
from typing import Any

import pytest
from pamqp import decode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.core import names
from router.core.delivery import Delivery
from router.core.directory import Client, Directory, Naming
from router.core.outputs import Output
from router.core.properties import pack_number
from router.core.shards import TopologyVersion
from router.parked.message import as_delivery, describe, parked_id, replay_of

DIRECTORY = Directory([Client("fr.health.a"), Client("fr.health.b", naming=Naming.FLAT)], "v")
TOPOLOGY = TopologyVersion(3, 8, {"fr.health.a": 5, "fr.health.b": 7})
HUB = {
    "x-hub-key": "fr.health.a.out.message",
    "x-hub-parked-at": 1_700_000_000_000,
    "x-hub-first-seen": 1_699_999_999_000,
    "x-hub-reason": "inbox_full",
    "x-hub-reference": "fr.health.a_1",
    "x-hub-history": "1699999999500 nacked;",
    "x-hub-origin": "client",
    "x-hub-publish": 77,
    "x-hub-attempt": 3,
}


def held(headers: dict[str, Any], body: bytes = b"{}", **properties: Any) -> Delivery:
    header = ContentHeader(properties=Basic.Properties(headers=headers, **properties), body_size=len(body))
    return as_delivery(9, False, header.marshal()[12:], body)


def published(output: Output) -> Basic.Properties:
    raw = output.first + pack_number(1) + output.last
    header = ContentHeader()
    header.unmarshal(b"\x00\x3c\x00\x00" + bytes(8) + raw)
    return header.properties


def replayed(delivery: Delivery) -> Output:
    output = replay_of(delivery, DIRECTORY, TOPOLOGY)
    assert isinstance(output, Output)
    return output


def test_the_id_is_stable_and_depends_on_body_moment_and_key() -> None:
    assert parked_id(b"x", 1, "k") == parked_id(b"x", 1, "k")
    others = {parked_id(b"y", 1, "k"), parked_id(b"x", 2, "k"), parked_id(b"x", 1, "l")}
    assert len(others) == 3 and parked_id(b"x", 1, "k") not in others
    assert len(parked_id(b"x", 1, "k")) == 12


def test_what_is_known_of_it() -> None:
    parked = describe(held(HUB, b"body", content_type="application/json"), "v", "60000")
    assert parked.id == parked_id(b"body", HUB["x-hub-parked-at"], HUB["x-hub-key"])
    assert (parked.vhost, parked.key, parked.reason) == ("v", "fr.health.a.out.message", "inbox_full")
    assert (parked.reference, parked.history, parked.origin) == ("fr.health.a_1", "1699999999500 nacked;", "client")
    assert (parked.parked_at_ms, parked.expires_at_ms) == (1_700_000_000_000, 1_700_000_060_000)
    assert (parked.first_seen_ms, parked.attempt, parked.content_type) == (1_699_999_999_000, 3, "application/json")
    assert (parked.body_bytes, parked.body_sha256) == (4, sha256(b"body").hexdigest())
    assert describe(held(HUB), "v", None).expires_at_ms == 0
    assert describe(held(HUB), "v", "x²").expires_at_ms == 0


def test_a_message_whose_properties_cannot_be_read_is_still_seen() -> None:
    delivery = as_delivery(1, False, b"\xff", b"body")
    parked = describe(delivery, "v", None)
    assert parked.reason == "?" and parked.body_bytes == 4
    assert replay_of(delivery, DIRECTORY, TOPOLOGY) == "its properties cannot be read"


@pytest.mark.parametrize(
    ("key", "queue"),
    [
        ("fr.health.a.out.message", "dispatch.05"),
        ("fr.health.a.out.ack", "dispatch.05"),
        ("fr.health.b", "dispatch.07"),
    ],
)
def test_it_goes_to_the_shard_of_the_client_of_its_key(key: str, queue: str) -> None:
    output = replayed(held(HUB | {"x-hub-key": key}))
    assert (output.exchange, output.queue, output.body) == (names.SHARD_EXCHANGE, queue, b"{}")


def test_it_carries_the_mark_and_no_other_hub_header_than_the_law_says() -> None:
    headers = published(replayed(held(HUB | {"mine": "x"}))).headers
    assert headers == {
        "mine": "x",
        "x-hub-key": "fr.health.a.out.message",
        "x-hub-first-seen": 1_699_999_999_000,
        "x-hub-history": "1699999999500 nacked;",
        "x-hub-origin": "replay",
        "x-hub-possible-duplicate": True,
        "x-hub-publish": 1,
    }


def test_the_clients_properties_travel_and_the_brokers_do_not() -> None:
    forbidden = {"CC": ["x"], "BCC": ["x"], "x-death": [{"a": 1}], "x-first-death-queue": "q",
                 "x-last-death-queue": "q", "x-delivery-count": 4}  # fmt: skip
    client = {
        "content_type": "application/json", "content_encoding": "identity", "priority": 3, "correlation_id": "c",
        "reply_to": "r", "message_type": "t", "app_id": "a", "message_id": "m", "delivery_mode": 2,
    }  # fmt: skip
    mine = {"n": 1, "deep": {"list": [True, "x"]}}
    properties = published(replayed(held(HUB | forbidden | mine, user_id="u", expiration="60000", **client)))
    assert {name: getattr(properties, name) for name in client} == client
    assert properties.user_id is None and properties.expiration is None
    assert properties.headers is not None and not forbidden.keys() & properties.headers.keys()
    assert {name: properties.headers[name] for name in mine} == mine


def test_a_replay_tells_what_the_client_published_with() -> None:
    properties = published(replayed(held(HUB | {"x-hub-published": "copies"})))
    assert properties.headers is not None and properties.headers["x-hub-published"] == "copies"


def test_the_clients_headers_travel_byte_for_byte() -> None:
    # A 64-bit integer, bytes that are not UTF-8, an absent message_id: what decoding and encoding would change.
    kept = b"\x01nl" + (1).to_bytes(8, "big") + b"\x01sS\x00\x00\x00\x02\xff\xfe"
    key = b"\x09x-hub-keyS\x00\x00\x00\x0bfr.health.b"
    table = kept + key
    raw = (0x2000 | 0x1000).to_bytes(2, "big") + len(table).to_bytes(4, "big") + table + b"\x02"
    output = replayed(as_delivery(1, False, raw, b"{}"))
    assert kept in output.first
    assert decode.short_short_uint(output.last)[1] == 2 and len(output.last) == 1


def test_a_key_of_nobody_stays_parked() -> None:
    why = replay_of(held(HUB | {"x-hub-key": "fr.health.z"}), DIRECTORY, TOPOLOGY)
    assert isinstance(why, str) and "no client" in why
