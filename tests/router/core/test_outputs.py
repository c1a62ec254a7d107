"""What is published for a decision: where to, with which properties; and the input, not an output, is what climbs."""

from typing import Any

import orjson
import pytest

from router.core import names, outputs
from router.core.decide import decide, park
from router.core.decisions import Facts, Forward, Refuse
from router.core.delivery import Delivery, Role
from router.core.origin import is_marked
from router.core.outcomes import Kind
from router.core.outputs import MAX_HISTORY_CHARACTERS, PARKED_MAX_MS, Output
from router.core.properties import entry
from router.core.refusals import Code
from tests.router.core.making import (
    DAY_SECONDS,
    FLAT,
    NOW,
    SAMU,
    SDIS,
    EasyPack,
    body,
    decoded,
    delivery,
    envelope,
    from_hub,
    pack,
    raw_properties,
    rules,
    when,
)

RULES = rules(EasyPack())
KEY = SAMU.publish_keys[0]
NOW_MS = int(NOW * 1000)
FORGED = {
    "x-hub-key": "fr.police.hub.out.message",
    "x-hub-attempt": 2,
    "x-hub-first-seen": 1,
    "x-hub-origin": "replay",
    "x-hub-possible-duplicate": True,
    "x-hub-history": "forged",
    "x-hub-reason": "forged forged",
    "x-hub-publish": 77,
    "x-death": [{"reason": "rejected", "queue": "q", "count": 9}],
    "x-first-death-reason": "rejected",
    "x-last-death-queue": "q",
    "x-delivery-count": 9,
    "own": "kept",
}
CLIENTS_OWN: dict[str, Any] = {
    "content_type": "application/json; charset=utf-8",
    "correlation_id": "c",
    "reply_to": "r",
    "message_id": "m",
    "message_type": "t",
    "app_id": "a",
    "priority": 4,
}


def headers(output: Output) -> dict[str, Any]:
    return dict(decoded(output.first, output.last).headers)


def forwarded(given: Delivery) -> Output:
    given.marked = is_marked(given)
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Forward)
    return outputs.forward(given, decision, NOW)


# ---- forward -------------------------------------------------------------------------------------


def test_a_forward_goes_to_the_inbox_byte_for_byte_with_the_clients_properties() -> None:
    payload = orjson.dumps(envelope(), option=orjson.OPT_INDENT_2)
    output = forwarded(delivery(payload, headers=FORGED, user_id="u", expiration="5", **CLIENTS_OWN))
    assert (output.kind, output.exchange, output.queue) == (Kind.FORWARD, names.INBOX_EXCHANGE, SDIS.inboxes[0])
    assert output.body is payload
    read = decoded(output.first, output.last)
    assert {name: getattr(read, name) for name in CLIENTS_OWN} == CLIENTS_OWN
    assert (read.delivery_mode, read.user_id, read.expiration) == (2, None, "3600000")
    assert read.headers == {"own": "kept", "x-hub-key": KEY, "x-hub-first-seen": NOW_MS, "x-hub-publish": 1}


def test_a_forward_bears_the_mark_when_its_delivery_does() -> None:
    for given in (delivery(body(), redelivered=True), from_hub(body()), from_hub(body(), headers={"x-hub-attempt": 1})):
        assert headers(forwarded(given))["x-hub-possible-duplicate"] is True


def test_first_seen_is_kept_from_the_hubs_own_header_only() -> None:
    assert headers(forwarded(from_hub(body(), headers={"x-hub-first-seen": 123})))["x-hub-first-seen"] == 123
    assert headers(forwarded(from_hub(body())))["x-hub-first-seen"] == NOW_MS


# ---- refusal -------------------------------------------------------------------------------------


def test_a_refusal_is_a_report_to_the_info_inbox_of_the_client_of_the_key() -> None:
    decision = Refuse(Code.SENDER_INCONSISTENCY, "c / c", "the-id", FLAT, FLAT.id, Facts())
    (output,) = outputs.refusal(delivery(b"x", FLAT.id, headers=FORGED, message_id="m"), decision, pack(), NOW)
    assert (output.kind, output.exchange, output.queue) == (Kind.REPORT, names.INBOX_EXCHANGE, "fr.health.flat.info")
    read = decoded(output.first, output.last)
    assert (read.content_type, read.delivery_mode, read.message_id) == ("application/json", 2, None)
    assert read.headers == {"x-hub-publish": 1}
    assert pack().check_message(output.body) == ()
    assert orjson.loads(output.body)["descriptor"]["explicitAddress"]["explicitAddressValue"] == FLAT.id


def test_a_refusal_with_nobody_to_report_to_publishes_nothing() -> None:
    decision = Refuse(Code.SENDER_INCONSISTENCY, "c / c", "the-id", None, "k", Facts())
    assert outputs.refusal(delivery(b"x"), decision, pack(), NOW) == ()


def test_the_report_about_a_possible_duplicate_is_marked() -> None:
    decision = Refuse(Code.SENDER_INCONSISTENCY, "c / c", "the-id", SAMU, KEY, Facts())
    given = delivery(b"x", redelivered=True)
    given.marked = is_marked(given)
    (output,) = outputs.refusal(given, decision, pack(), NOW)
    assert headers(output)["x-hub-possible-duplicate"] is True


def test_two_reports_about_one_message_have_ids_of_their_own() -> None:
    decision = Refuse(Code.SENDER_INCONSISTENCY, "c / c", "the-id", SAMU, KEY, Facts())
    ids = {
        orjson.loads(outputs.refusal(delivery(b"x"), decision, pack(), NOW + at / 1000)[0].body)["distributionID"]
        for at in range(100)
    }
    assert len(ids) == 100


# ---- parking -------------------------------------------------------------------------------------


def parked(given: Delivery, reason: str = "poison") -> tuple[Output, ...]:
    return outputs.parking(given, park(given, RULES, reason), pack(), NOW)


def test_what_is_parked_is_the_input_as_it_came_and_the_report_goes_with_it() -> None:
    payload = body()
    copy, report = parked(delivery(payload, headers=FORGED, user_id="u", expiration="5", **CLIENTS_OWN), "ladder_full")
    assert (copy.kind, copy.exchange, copy.queue, copy.body) == (Kind.PARK, names.PARKED, names.PARKED, payload)
    read = decoded(copy.first, copy.last)
    assert {name: getattr(read, name) for name in CLIENTS_OWN} == CLIENTS_OWN
    assert (read.delivery_mode, read.user_id, read.expiration) == (2, None, "3600000")
    assert read.headers == {
        "own": "kept",
        "x-hub-key": KEY,
        "x-hub-first-seen": NOW_MS,
        "x-hub-origin": "client",
        "x-hub-history": f"{NOW_MS} ladder_full;",
        "x-hub-reason": "ladder_full",
        "x-hub-reference": "fr.health.hub.samu050_1",
        "x-hub-parked-at": NOW_MS,
        "x-hub-publish": 1,
    }
    assert (report.kind, report.queue) == (Kind.PARKED_REPORT, SAMU.inbox("info"))
    error = orjson.loads(report.body)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    assert error["errorCode"]["statusCode"] == 500
    assert error["referencedDistributionID"] == "fr.health.hub.samu050_1"
    for words in ("ladder_full", "parked", "may still be delivered"):
        assert words in error["errorCause"]


def test_a_parked_message_of_nobody_has_no_report() -> None:
    (copy,) = parked(delivery(b"x", "who.knows"))
    assert headers(copy)["x-hub-reference"] == names.NO_REFERENCE
    assert headers(copy)["x-hub-key"] == "who.knows"


@pytest.mark.parametrize(
    "expires_in, expected_ms",
    (
        (10, 10_000),
        (0.4, 1),  # written with whole seconds: now
        (-5, 1),
        (DAY_SECONDS - 1, (DAY_SECONDS - 1) * 1000),
        (DAY_SECONDS + 1, PARKED_MAX_MS),
        (3 * DAY_SECONDS, PARKED_MAX_MS),
        (60 * DAY_SECONDS, PARKED_MAX_MS),
        (7000 * 365 * DAY_SECONDS, PARKED_MAX_MS),  # more than a century: RabbitMQ 3.10.8 closes the channel with 406
    ),
)
def test_what_is_parked_is_kept_until_it_expires_and_at_most_a_day(expires_in: float, expected_ms: int) -> None:
    copy, _ = parked(delivery(body(dateTimeExpires=when(expires_in))), "ladder_full")
    assert decoded(copy.first, copy.last).expiration == str(expected_ms)
    assert PARKED_MAX_MS == DAY_SECONDS * 1000


@pytest.mark.parametrize("payload", (b"", b"x", b"[" * 50_000, b'{"distributionID":"x"}'))
def test_what_cannot_be_read_is_parked_for_as_long_as_the_queue_keeps_it(payload: bytes) -> None:
    copy, _ = parked(delivery(payload), "internal_error")
    assert decoded(copy.first, copy.last).expiration is None


@pytest.mark.parametrize("reason", (names.REASON_POISON, names.REASON_BUG))
def test_neither_poison_is_decoded_nor_what_a_decision_failed_on(reason: str) -> None:
    copy, _ = parked(delivery(body()), reason)
    assert decoded(copy.first, copy.last).expiration is None


def test_a_message_whose_properties_cannot_be_read_is_parked_without_them() -> None:
    copy, report = parked(delivery(body(), raw=b"\xff\xff"))
    read = decoded(copy.first, copy.last)
    assert (read.content_type, read.delivery_mode) == ("application/octet-stream", 2)
    assert read.headers["x-hub-key"] == KEY
    assert report.queue == SAMU.inbox("info")


# ---- the ladder ----------------------------------------------------------------------------------


def test_what_climbs_is_the_input_with_its_attempt_counted() -> None:
    payload = body()
    given: Delivery | None = delivery(payload, headers=FORGED, user_id="u", expiration="5", **CLIENTS_OWN)
    for attempt, rung in enumerate(names.RUNGS):
        assert given is not None
        output = outputs.climb(given, "publish_nacked", NOW + attempt)
        assert output is not None
        assert (output.kind, output.exchange, output.queue) == (Kind.RETRY, rung.name, given.queue)
        assert output.body is payload
        read = decoded(output.first, output.last)
        assert {name: getattr(read, name) for name in CLIENTS_OWN} == CLIENTS_OWN
        assert (read.delivery_mode, read.user_id, read.expiration) == (2, None, None)
        steps = "".join(f"{NOW_MS + 1000 * at} publish_nacked;" for at in range(attempt + 1))
        assert read.headers == {
            "own": "kept",
            "x-hub-key": KEY,
            "x-hub-first-seen": NOW_MS,
            "x-hub-origin": "client",
            "x-hub-history": steps,
            "x-hub-attempt": attempt + 1,
            "x-hub-publish": 1,
        }
        given = from_hub(payload, KEY, headers=read.headers, **CLIENTS_OWN)
    assert outputs.climb(given, "publish_nacked", NOW) is None
    copy, _ = parked(given, "publish_nacked")
    assert headers(copy)["x-hub-history"].count("publish_nacked") == 4
    assert headers(copy)["x-hub-first-seen"] == NOW_MS


def test_what_the_client_published_with_is_not_washed_off_on_the_ladder() -> None:
    """The hub's copies carry no CC and are all persistent: what the checks ask for must travel beside them."""
    given = delivery(body(), headers={"CC": ["fr.x"], "x-hub-published": "forged"}, delivery_mode=1)
    for attempt in range(2):
        climbed = outputs.climb(given, "unknown_key", NOW)
        assert climbed is not None
        read = decoded(climbed.first, climbed.last)
        assert "CC" not in read.headers and read.delivery_mode == 2
        assert read.headers["x-hub-published"] == "copies transient"
        given = from_hub(body(), KEY, headers=read.headers)
        refused = decide(given, RULES, NOW)
        assert isinstance(refused, Refuse) and refused.code is Code.SENDER_INCONSISTENCY, attempt
    climbed = outputs.climb(delivery(body(), delivery_mode=1), "unknown_key", NOW)
    assert climbed is not None and headers(climbed)["x-hub-published"] == "transient"
    refused = decide(from_hub(body(), KEY, headers=headers(climbed)), RULES, NOW)
    assert isinstance(refused, Refuse) and refused.code is Code.DELIVERY_MODE_INCONSISTENCY
    forged = delivery(body(), headers={"x-hub-published": "copies transient"})
    assert isinstance(decide(forged, RULES, NOW), Forward)


def test_a_replay_stays_a_replay_on_the_ladder_and_when_it_is_parked_again() -> None:
    replay = {"x-hub-origin": "replay", "x-hub-history": "1 parked;", "x-hub-first-seen": 5}
    output = outputs.climb(from_hub(body(), headers=replay), "publish_nacked", NOW)
    assert output is not None
    for found in (headers(output), headers(parked(from_hub(body(), headers=replay))[0])):
        assert (found["x-hub-origin"], found["x-hub-first-seen"]) == ("replay", 5)
        assert found["x-hub-history"].startswith("1 parked;")


def test_what_the_delivery_limit_struck_keeps_its_history_if_the_hub_wrote_it() -> None:
    kept = {"x-hub-key": KEY, "x-hub-history": "1 publish_nacked;", "x-hub-origin": "replay", "x-hub-first-seen": 5}
    place: dict[str, Any] = {"role": Role.DEAD_SHARD, "queue": names.DEAD_SHARD, "exchange": names.DEAD_SHARD}
    copy, _ = parked(delivery(body(), "dispatch.02", headers=kept, **place))
    found = headers(copy)
    assert found["x-hub-history"] == f"1 publish_nacked;{NOW_MS} poison;"
    assert (found["x-hub-origin"], found["x-hub-first-seen"], found["x-hub-key"]) == ("replay", 5, KEY)
    copy, _ = parked(delivery(body(), KEY, headers=FORGED, **place))
    found = headers(copy)
    assert found["x-hub-history"] == f"{NOW_MS} poison;"
    assert (found["x-hub-origin"], found["x-hub-first-seen"], found["x-hub-key"]) == ("client", NOW_MS, KEY)


def test_an_inboxs_dead_letter_remembers_on_the_ladder_why_it_died() -> None:
    """On its way back x-death is gone: only the hub's own header can still name the reason and the queue."""
    deaths = [{"reason": "rejected", "queue": "fr.x.in.message", "count": 1}]
    given = delivery(
        body(),
        "fr.x.in.message",
        role=Role.DEAD_INBOX,
        queue=names.DEAD_INBOX,
        exchange=names.DEAD_INBOX,
        headers={"x-hub-key": KEY, "x-death": deaths},
    )
    first = outputs.climb(given, "publish_nacked", NOW)
    assert first is not None and (first.exchange, first.queue) == ("hub.retry.1s", names.DEAD_INBOX)
    assert headers(first)["x-hub-reason"] == "rejected fr.x.in.message"
    again = delivery(
        body(),
        names.DEAD_INBOX,
        role=Role.DEAD_INBOX,
        queue=names.DEAD_INBOX,
        exchange=names.SHARD_EXCHANGE,
        headers=headers(first),
    )
    second = outputs.climb(again, "publish_nacked", NOW)
    assert second is not None and second.exchange == "hub.retry.10s"
    assert headers(second)["x-hub-reason"] == "rejected fr.x.in.message"
    decision = decide(again, RULES, NOW)
    assert isinstance(decision, Refuse) and decision.client is SAMU
    assert "rejected" in decision.cause and "fr.x.in.message" in decision.cause


def test_a_clients_forged_reason_never_climbs() -> None:
    output = outputs.climb(delivery(body(), headers=FORGED), "publish_nacked", NOW)
    assert output is not None and "x-hub-reason" not in headers(output)


def test_what_has_no_readable_properties_does_not_climb() -> None:
    assert outputs.climb(delivery(body(), raw=b"\xff\xff"), "publish_nacked", NOW) is None


def test_a_history_is_bounded_and_keeps_the_newest() -> None:
    long = {"x-hub-history": "1 something_long;" * 100}
    output = outputs.climb(from_hub(body(), headers=long), "newest", NOW)
    assert output is not None
    history = headers(output)["x-hub-history"]
    assert len(history) == MAX_HISTORY_CHARACTERS and history.endswith(f"{NOW_MS} newest;")


def test_the_largest_output_fits_in_a_frame_with_the_largest_client_headers() -> None:
    """A content header is one frame: 128 KiB where nothing else is negotiated, 8 KiB at least beside the client's."""
    room = 16 * 1024 - 9
    long = {name: "x" * 250 for name in ("message_id", "app_id", "reply_to", "correlation_id")}
    raw = raw_properties(headers={"own": "o" * room}, **long)
    key = b"\xff".decode("utf-8", "surrogateescape") * 255
    given = delivery(orjson.dumps({"distributionID": "\U0001f691" * 300}), key, raw=raw)
    assert given.properties is not None and given.properties.kept
    for output in (*parked(given, "ladder_full"), outputs.climb(given, "publish_nacked", NOW)):
        assert output is not None
        assert len(output.first) + 8 + len(output.last) < 16 * 1024 + 8 * 1024


def test_an_entry_of_each_type_is_what_a_recipient_reads() -> None:
    assert entry("a", True) == b"\x01at\x01"
    assert entry("a", 1) == b"\x01al" + bytes(7) + b"\x01"
    assert entry("a", "é") == b"\x01aS\x00\x00\x00\x02\xc3\xa9"
