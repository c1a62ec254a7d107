"""The decision on a client's message: every check of the protocol in its order, by the hub's real pack.

Numbers in names are those of the acceptance scenarios, at the level of the decision.
"""

from typing import Any

import orjson
import pytest

from router.core import names
from router.core.decide import decide, force_prefix, unroutable
from router.core.decisions import Decision, Discard, Forward, Park, Refuse, Retry
from router.core.directory import Client, Format, Naming
from router.core.refusals import Code, cause
from router.core.shards import TopologyVersion
from tests.router.core.making import (
    CLIENTS,
    DAY_SECONDS,
    FIRE,
    FLAT,
    MAX_MESSAGE_BYTES,
    NOW,
    POLICE,
    SAMU,
    SAMU2,
    SDIS,
    SHARDS,
    EasyPack,
    body,
    delivery,
    envelope,
    from_hub,
    pack,
    reference,
    rules,
    when,
)
from validators import ContentFaults, Fault

RULES = rules()
KEY = SAMU.publish_keys[0]
REFERENCE = f"{SAMU.id}_1"


def decided(payload: bytes, key: str = KEY, **values: Any) -> Decision:
    return decide(delivery(payload, key, **values), RULES, NOW)


def refused(payload: bytes, key: str = KEY, **values: Any) -> Refuse:
    decision = decided(payload, key, **values)
    assert isinstance(decision, Refuse), decision
    return decision


def forwarded(payload: bytes, key: str = KEY, **values: Any) -> Forward:
    decision = decided(payload, key, **values)
    assert isinstance(decision, Forward), decision
    return decision


# ---- what passes ---------------------------------------------------------------------------------


def test_a_valid_message_is_forwarded() -> None:
    decision = forwarded(body())
    assert decision.queue == "fr.fire.nexsis.sdis-50.in.message"
    assert (decision.client, decision.key, decision.converted_to) == (SAMU, KEY, None)
    facts = decision.facts
    assert (facts.distribution_id, facts.sender, facts.recipient) == (REFERENCE, SAMU.id, SDIS.id)
    assert (facts.kind, facts.use_case) == ("Report", "RC-REF")


@pytest.mark.parametrize(
    "recipient, inbox", ((SAMU2, "fr.health.samu76.in"), (FLAT, "fr.health.flat"), (FIRE, "fr.fire.hub"))
)
@pytest.mark.parametrize(
    "kind, inbox_kind",
    (("Report", "message"), ("Update", "message"), ("Cancel", "message"), ("Ack", "ack"), ("Error", "info")),
)
def test_5_each_kind_goes_to_its_inbox(recipient: Client, inbox: str, kind: str, inbox_kind: str) -> None:
    payload = body(SAMU, recipient, distributionKind=kind)
    assert forwarded(payload, f"{SAMU.id}.out.{inbox_kind}").queue == f"{inbox}.{inbox_kind}"


def test_5_a_flat_client_sends_every_kind_with_its_one_key() -> None:
    for kind, inbox_kind in names.KIND_OF_DISTRIBUTION.items():
        assert forwarded(body(FLAT, SDIS, distributionKind=kind), FLAT.id).queue == f"{SDIS.id}.in.{inbox_kind}"


@pytest.mark.parametrize("seconds, most_ms", ((2, 2_000), (1, 1_000), (3600, 3_600_000), (DAY_SECONDS - 1, 86_399_000)))
def test_6_an_expiry_within_a_day_becomes_the_expiration(seconds: float, most_ms: int) -> None:
    expiration_ms = forwarded(body(dateTimeExpires=when(seconds))).expiration_ms
    assert expiration_ms is not None and most_ms - 2 <= expiration_ms <= most_ms


def test_6_a_fraction_of_a_millisecond_is_not_no_time_at_all() -> None:
    payload = body(dateTimeExpires="2025-06-15T15:06:40.0004Z")
    assert forwarded(payload).expiration_ms == 1


@pytest.mark.parametrize("seconds", (DAY_SECONDS, DAY_SECONDS + 1, 3 * DAY_SECONDS, 400 * DAY_SECONDS))
def test_7_a_later_expiry_is_left_to_the_inbox(seconds: float) -> None:
    assert forwarded(body(dateTimeExpires=when(seconds))).expiration_ms is None


def test_7_the_inbox_ttl_is_the_configured_one() -> None:
    short = rules(inbox_ttl_ms=10_000)
    late = decide(delivery(body(dateTimeExpires=when(11))), short, NOW)
    early = decide(delivery(body(dateTimeExpires=when(9))), short, NOW)
    assert isinstance(late, Forward) and late.expiration_ms is None
    assert isinstance(early, Forward) and early.expiration_ms == 9_000


def test_an_offset_is_reckoned_with() -> None:
    """17:06:40+02:00 is now."""
    assert refused(body(dateTimeExpires="2025-06-15T17:06:40+02:00")).code == 400
    assert forwarded(body(dateTimeExpires="2025-06-15T17:06:41+02:00")).expiration_ms == 1_000


@pytest.mark.parametrize("content_type", ("application/json", "application/json; charset=utf-8", "Application/JSON"))
def test_json_is_json_with_its_parameters_and_in_any_case(content_type: str) -> None:
    assert forwarded(body(), content_type=content_type)


def test_20_a_partner_need_not_be_persistent() -> None:
    for mode in (None, 1, 2):
        assert forwarded(body(SDIS, SAMU), SDIS.publish_keys[0], delivery_mode=mode)


def test_21_a_partners_distribution_id_is_its_own_affair() -> None:
    assert forwarded(body(SDIS, SAMU, distributionID="anything"), SDIS.publish_keys[0])


def test_24_a_partner_hub_carries_senders_of_its_own_force_only() -> None:
    for sender in ("fr.fire.nexsis.sdis-51", "fr.fire.x", FIRE.id):
        assert forwarded(body(sender, SAMU), SDIS.publish_keys[0]).client is SDIS
    for sender in ("fr.police.x", "fr.firefly.x", "fr.fire", "fr", ""):
        assert refused(body(sender, SAMU), SDIS.publish_keys[0]).code == Code.SENDER_INCONSISTENCY


def test_24_no_partner_hub_speaks_for_a_health_sender() -> None:
    for client_id in ("fr", "fr.health", "fr.fire.hub"):
        partner = Client(client_id, naming=Naming.FLAT, format=Format.JSON)
        rules_in_use = rules(clients=(partner, SAMU), topology=TopologyVersion(1, 4, {client_id: 0, SAMU.id: 0}))
        payload = body("fr.health.samu76", SAMU)
        decision = decide(delivery(payload, client_id, shard=0), rules_in_use, NOW)
        assert isinstance(decision, Refuse) and decision.code == Code.SENDER_INCONSISTENCY


def test_a_force_is_the_first_two_words_of_an_id() -> None:
    assert force_prefix("fr.fire.nexsis.sdis-50") == "fr.fire."
    assert force_prefix("fr.fire") == "fr.fire."


# ---- what is refused, in the protocol's order ----------------------------------------------------


class Case:
    """A message with one thing wrong. Two cases on end make a message with both."""

    def __init__(self, code: int, says: str, key: str | None = None, **changes: Any) -> None:
        self.code, self.says, self.key = code, says, key
        self.properties = {name: changes.pop(name) for name in ("content_type", "delivery_mode") if name in changes}
        self.changes = changes


def addressed(value: str) -> dict[str, Any]:
    return {
        "language": "fr-FR",
        "explicitAddress": {"explicitAddressScheme": "hubex", "explicitAddressValue": value},
    }


NO_ACTOR = {"senderID": "fr.police.x", "descriptor": addressed("fr.fire.y")}
IN_ORDER = {
    "content type": Case(101, cause("content_type"), content_type="text/plain"),
    "envelope": Case(300, "$.distributionStatus", distributionStatus="Perhaps"),
    "no health actor": Case(501, cause("no_health_actor"), **NO_ACTOR),
    "sender": Case(200, cause("sender", client=SAMU.id), senderID=SAMU2.id),
    "persistent": Case(100, cause("not_persistent"), delivery_mode=1),
    "prefix": Case(300, cause("id_prefix", prefix=f"{SAMU.id}_"), distributionID="other_1"),
    "kind": Case(
        300,
        cause("kind_of_key", kind="Report", used="ack", wanted="message"),
        key=SAMU.publish_keys[1],
    ),
    "expiry": Case(400, cause("expired"), dateTimeExpires=when(-1)),
}


def judged(*cases: Case) -> Refuse:
    changes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    key = KEY
    for case in reversed(cases):
        changes.update(case.changes)
        properties.update(case.properties)
        key = case.key or key
    return refused(body(**changes), key, **properties)


@pytest.mark.parametrize("name", IN_ORDER)
def test_each_check_refuses_with_its_code_and_says_why(name: str) -> None:
    case = IN_ORDER[name]
    decision = judged(case)
    assert decision.code == case.code and case.says in decision.cause
    assert decision.client is SAMU and decision.key == (case.key or KEY)
    assert decision.reference == case.changes.get("distributionID", REFERENCE)


@pytest.mark.parametrize("first, second", [(a, b) for at, a in enumerate(IN_ORDER) for b in list(IN_ORDER)[at + 1 :]])
def test_of_two_faults_the_earlier_check_speaks(first: str, second: str) -> None:
    """Where both change one field, the first has it; a message without health actor has a wrong sender too."""
    decision = judged(IN_ORDER[first], IN_ORDER[second])
    assert decision.code == IN_ORDER[first].code and IN_ORDER[first].says in decision.cause


def test_all_faults_at_once_are_the_first() -> None:
    decision = judged(*IN_ORDER.values())
    assert decision.code == 101 and decision.reference == "other_1"


@pytest.mark.parametrize("seconds", (0, -1, -DAY_SECONDS))
def test_8_an_expired_message_is_refused_400(seconds: float) -> None:
    decision = refused(body(dateTimeExpires=when(seconds)))
    assert (decision.code, decision.reference) == (Code.EXPIRED_MESSAGE_BEFORE_ROUTING, REFERENCE)


@pytest.mark.parametrize(
    "content_type", (None, "application/octet-stream", "text/xml", "application/jsonx", "json", ";application/json")
)
def test_11_no_or_another_content_type_is_refused_101(content_type: str | None) -> None:
    decision = refused(body(), content_type=content_type)
    assert (decision.code, decision.reference) == (Code.NOT_ALLOWED_CONTENT_TYPE, REFERENCE)


def test_11_a_partners_message_without_content_type_is_xml() -> None:
    sent = body(SDIS, SAMU)
    decision = forwarded(pack().xml.write_message(sent), SDIS.publish_keys[0], content_type=None)
    assert (decision.body, decision.converted_to) == (sent, Format.JSON)
    assert refused(sent, SDIS.publish_keys[0], content_type=None).code == Code.INVALID_MESSAGE
    assert refused(body(SDIS, SAMU), SDIS.publish_keys[0], content_type="text/plain").code == 101


@pytest.mark.parametrize(
    "payload, content_type",
    (
        (body(), "application/xml"),
        (b"<edxlDistribution><distributionID>fr.health.hub.samu050_1</distributionID>", "application/json"),
    ),
)
def test_12_a_body_of_the_other_type_is_refused_300_with_its_id(payload: bytes, content_type: str) -> None:
    decision = refused(payload, content_type=content_type)
    assert (decision.code, decision.reference, decision.client) == (Code.INVALID_MESSAGE, REFERENCE, SAMU)


@pytest.mark.parametrize(
    "payload, found",
    (
        (b"", names.NO_REFERENCE),
        (b"[]", names.NO_REFERENCE),
        (b"null", names.NO_REFERENCE),
        (b"{}", names.NO_REFERENCE),
        (b"\xff\xfe\x00", names.NO_REFERENCE),
        (b"\xef\xbb\xbf" + body(), REFERENCE),
        (body().replace(b"fr-FR", b"fr-\xe9"), REFERENCE),
        (body().replace(b"hubex", b"hub\xe9x", 1), REFERENCE),
        (body()[:-1], REFERENCE),
        (body()[: len(body()) // 2], REFERENCE),
        (body() + b"}", REFERENCE),
        (b"[" + body() + b"]", REFERENCE),
        (body().replace(b'"Actual"', b"Actual"), REFERENCE),
        (b"[" * 100_000, names.NO_REFERENCE),
        (body(content=None)[:-1] + b',"content":' + b"[" * 20_000 + b"]" * 20_000 + b"}", REFERENCE),
        (b'{"content":1e999,' + body()[1:], REFERENCE),
        (b'{"content":"\xff",' + body()[1:], REFERENCE),
        (b'{"\\u0063ontent":1e999,' + body()[1:], REFERENCE),
    ),
)
def test_13_unreadable_bytes_are_refused_300_with_the_id_that_is_found(payload: bytes, found: str) -> None:
    decision = refused(payload)
    assert (decision.code, decision.reference, decision.client) == (Code.INVALID_MESSAGE, found, SAMU)


REQUIRED = sorted(envelope())


@pytest.mark.parametrize("field", REQUIRED)
def test_14_a_missing_field_is_named(field: str) -> None:
    decision = refused(body(**{field: None}))
    assert decision.code == Code.INVALID_MESSAGE and field in decision.cause
    # "Failing that, found in the raw bytes": there it is the id that the RC-REF inside refers to.
    assert decision.reference == ("fr.fire.nexsis.sdis-50_1" if field == "distributionID" else REFERENCE)


def test_14_every_missing_field_is_named_in_both_languages() -> None:
    decision = refused(body(distributionStatus=None, distributionKind=None, dateTimeSent=None, descriptor={}))
    for half in decision.cause.split(" / "):
        for field in ("distributionStatus", "distributionKind", "dateTimeSent", "explicitAddress", "language"):
            assert field in half
    assert "obligatoire" in decision.cause and "required" in decision.cause


SPOILT = {
    "unknown field": (reference(surprise="secret value"), "reference.surprise"),
    "wrong type": (reference(refused="secret value"), "reference.refused"),
    "bad code": (reference(step="SECRET VALUE"), "reference.step"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_15_each_fault_of_the_content_is_named_with_its_path_and_without_its_value(name: str) -> None:
    element, path = SPOILT[name]
    decision = refused(body(content=[element]))
    assert (decision.code, decision.reference) == (Code.INVALID_MESSAGE, REFERENCE)
    assert f"$.content[0].jsonContent.embeddedJsonContent.message.{path}" in decision.cause
    assert "secret" not in decision.cause.lower()
    assert decision.facts.distribution_id == REFERENCE


def test_15_a_bad_pattern_is_named_and_several_faults_are_all_named() -> None:
    element = reference(surprise=1, step="x", refused="y")
    message = element["jsonContent"]["embeddedJsonContent"]["message"]
    message["sentAt"] = "2025-06-15T15:06:40Z"  # the model wants an offset in digits
    text = refused(body(content=[element])).cause
    for path in ("sentAt", "reference.surprise", "reference.step", "reference.refused"):
        assert path in text
    elements = [reference(), reference(step="x"), reference(refused=1)]
    text = refused(body(content=elements)).cause
    assert "$.content[1]" in text and "$.content[2]" in text and "$.content[0]" not in text


def test_16_no_use_case_two_use_cases_or_no_content_are_refused_300() -> None:
    none, two = reference(), reference()
    del none["jsonContent"]["embeddedJsonContent"]["message"]["reference"]
    two["jsonContent"]["embeddedJsonContent"]["message"]["error"] = {}
    for content in ([none], [two], [reference(), none], [], {}, "x", [7]):
        decision = refused(body(content=content))
        assert (decision.code, decision.reference) == (Code.INVALID_MESSAGE, REFERENCE)
        assert decision.cause.count(" / ") >= 1


def test_17_another_senders_id_is_refused_200_to_whose_key_it_was() -> None:
    decision = refused(body(SAMU2, SDIS))
    assert (decision.code, decision.client, decision.key) == (Code.SENDER_INCONSISTENCY, SAMU, KEY)
    assert decision.reference == f"{SAMU2.id}_1"


def test_20_a_health_client_must_be_persistent() -> None:
    for mode in (None, 1):
        assert refused(body(), delivery_mode=mode).code == Code.DELIVERY_MODE_INCONSISTENCY


@pytest.mark.parametrize("identifier", ("other_1", SAMU.id, f"{SAMU.id}-1", f"x{SAMU.id}_1", f"{SAMU.id}0_1", ""))
def test_21_a_health_clients_id_begins_with_the_sender(identifier: str) -> None:
    decision = refused(body(distributionID=identifier))
    assert decision.code == Code.INVALID_MESSAGE and f"{SAMU.id}_" in decision.cause


def test_22_a_recipient_without_inbox_is_published_all_the_same_and_refused_501_when_it_comes_back() -> None:
    decision = forwarded(body(SAMU, "fr.health.nowhere"))
    assert decision.queue == "fr.health.nowhere.in.message"
    back = unroutable(decision)
    assert (back.code, back.client, back.key, back.reference) == (Code.UNROUTABLE_MESSAGE, SAMU, KEY, REFERENCE)
    assert back.cause == cause("no_inbox", queue="fr.health.nowhere.in.message")
    assert back.facts == decision.facts


@pytest.mark.parametrize("recipient", ("fr.health." + "x" * 300, "fr.health." + "é" * 125))
def test_22_a_recipient_that_cannot_name_a_queue_is_refused_501_at_once(recipient: str) -> None:
    decision = refused(body(SAMU, recipient))
    assert (decision.code, decision.cause) == (Code.UNROUTABLE_MESSAGE, cause("recipient_name"))
    assert len(decision.facts.recipient) <= 256


def test_22_the_longest_name_of_a_queue_is_still_a_routing_key() -> None:
    longest = "fr.health." + "x" * (255 - len("fr.health.") - len(".in.message"))
    assert len(forwarded(body(SAMU, longest)).queue) == 255
    assert refused(body(SAMU, longest + "x")).cause == cause("recipient_name")


@pytest.mark.parametrize("recipient", ("", "*", "#", "hub.parked", "dispatch.00", "fr.x\x00", "fr.\u2028é"))
def test_22_a_recipient_of_any_name_is_only_a_routing_key_of_the_inboxes(recipient: str) -> None:
    assert forwarded(body(SAMU, recipient)).queue == f"{recipient}.in.message"


@pytest.mark.parametrize("recipient", ("fr.fire.y", "fr.healthy.y", "fr.health", "xfr.health.y"))
def test_23_no_health_actor_is_refused_501(recipient: str) -> None:
    decision = refused(body(POLICE, recipient), POLICE.publish_keys[0])
    assert (decision.code, decision.cause) == (Code.UNROUTABLE_MESSAGE, cause("no_health_actor"))
    assert decision.client is POLICE


@pytest.mark.parametrize(
    "kind, key_kind", (("Report", "ack"), ("Ack", "message"), ("Error", "ack"), ("Cancel", "info"))
)
def test_28_a_key_of_another_kind_is_refused_300(kind: str, key_kind: str) -> None:
    decision = refused(body(distributionKind=kind), f"{SAMU.id}.out.{key_kind}")
    assert decision.code == Code.INVALID_MESSAGE
    assert kind in decision.cause and f".{key_kind}" in decision.cause


def test_29_a_message_with_cc_is_refused_200_before_anything_else() -> None:
    for copies in (["fr.health.samu76.out.message"], [], "x"):
        for payload, content_type in ((body(), "application/json"), (b"not json", "text/plain")):
            decision = refused(payload, headers={"CC": copies}, content_type=content_type)
            assert (decision.code, decision.cause) == (Code.SENDER_INCONSISTENCY, cause("copies"))


def test_29_a_copy_in_a_shard_that_is_not_its_keys_is_discarded() -> None:
    """CC or BCC: the routing key stays the original one."""
    for headers in ({}, {"CC": ["x"]}):
        for payload in (body(), b"not json"):
            decision = decided(payload, shard=SHARDS[SAMU.id] + 1, headers=headers)
            assert decision == Discard("misrouted_copy", KEY, decision.facts)


def test_29_a_client_that_moved_is_at_home_in_its_old_shard_too() -> None:
    moved = rules(topology=TopologyVersion(2, 4, {**SHARDS, SAMU.id: 3}, SHARDS))
    for shard in (3, SHARDS[SAMU.id]):
        assert isinstance(decide(delivery(body(), shard=shard), moved, NOW), Forward)
    for shard in {0, 1, 2} - {SHARDS[SAMU.id]}:
        assert isinstance(decide(delivery(body(), shard=shard), moved, NOW), Discard)


def test_what_the_hub_gives_back_is_never_a_misrouted_copy() -> None:
    """The ladder and replay write to the shard themselves; a topology may have moved the client meanwhile."""
    given = from_hub(body())
    given.shard += 1
    assert isinstance(decide(given, RULES, NOW), Forward)


def test_a_body_above_the_limit_is_refused_300() -> None:
    at_most = body(distributionID=REFERENCE + "x" * (MAX_MESSAGE_BYTES - len(body())))
    assert len(at_most) == MAX_MESSAGE_BYTES and forwarded(at_most)
    decision = refused(at_most + b" ")
    assert (decision.code, decision.cause) == (300, cause("too_large", limit=MAX_MESSAGE_BYTES))
    assert decision.reference.startswith(REFERENCE) and len(decision.reference) <= 256


def test_properties_that_cannot_be_read_are_refused_300() -> None:
    decision = refused(body(), raw=b"\xff\xff")
    assert (decision.code, decision.cause, decision.reference) == (300, cause("properties"), REFERENCE)


def test_ids_are_cut_wherever_they_are_told() -> None:
    long = f"{SAMU.id}_" + "é" * 1000
    facts = forwarded(body(distributionID=long)).facts
    assert facts.distribution_id == long[:256]
    assert len(refused(body(distributionID=long, dateTimeExpires=when(-1))).reference) == 256


# ---- the directory and the topology at hand ------------------------------------------------------


@pytest.mark.parametrize(
    "key", ("fr.health.new.out.message", f"{SAMU.id}.out.messages", f"{SAMU.id}.in.message", "", SAMU.id)
)
def test_a_key_that_the_directory_does_not_know_yet_is_tried_again(key: str) -> None:
    for payload in (body(), b"not json"):
        decision = decided(payload, key)
        assert isinstance(decision, Retry) and (decision.reason, decision.key) == (names.REASON_UNKNOWN_KEY, key)


def test_a_client_of_another_vhost_is_unknown_here() -> None:
    elsewhere = Client("fr.health.elsewhere", vhosts=("other",))
    decision = decide(delivery(body(elsewhere), elsewhere.publish_keys[0]), rules(clients=(*CLIENTS, elsewhere)), NOW)
    assert isinstance(decision, Retry)


# ---- a pack that contradicts itself --------------------------------------------------------------


class PickyPack(EasyPack):
    """Refuses what comes fast and finds no fault when it is asked for them."""

    def judge(self, content: object) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
        raise ContentFaults([Fault("$", "model", "x", "object")])


class OpenPack(EasyPack):
    """Finds no fault in anything."""


class BrokenPack(EasyPack):
    def judge(self, content: object) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
        raise ZeroDivisionError


def test_what_validates_and_cannot_be_read_is_refused_102() -> None:
    for payload in (b'{"distributionID":"the-id"}', b"7", body(extra="field")):
        decision = decide(delivery(payload), rules(OpenPack()), NOW)
        assert isinstance(decision, Refuse)
        assert (decision.code, decision.cause) == (Code.UNRECOGNIZED_MESSAGE_FORMAT, cause("unreadable"))
        assert decision.client is SAMU


def test_our_own_fault_is_an_exception_and_never_a_wrong_decision() -> None:
    with pytest.raises(ZeroDivisionError):
        decide(delivery(body()), rules(BrokenPack()), NOW)


def test_a_content_is_looked_through_once_when_its_envelope_is_right() -> None:
    decision = decide(delivery(body()), rules(PickyPack()), NOW)  # of which `check_message` would find nothing
    assert isinstance(decision, Refuse) and decision.code == 300 and decision.facts.distribution_id == REFERENCE


def test_the_slow_path_forwards_what_the_fast_one_would_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    from router.core import reading as module

    usual = forwarded(body())
    monkeypatch.setattr(module, "fast_read", lambda body: None)
    assert decided(body()) == usual
    assert refused(body(distributionStatus="x")).code == 300


# ---- trust ---------------------------------------------------------------------------------------

FORGED: dict[str, Any] = {
    "x-hub-key": SAMU2.publish_keys[0],
    "x-hub-attempt": 3,
    "x-hub-first-seen": 1,
    "x-hub-origin": "replay",
    "x-hub-possible-duplicate": True,
    "x-hub-reason": "rejected fr.x.in.message",
    "x-delivery-count": 99,
    "x-death": [{"reason": "delivery_limit", "queue": "q", "count": 99}],
}


def test_29_a_clients_hub_headers_change_nothing() -> None:
    plain, forged = decided(body()), decided(body(), headers=FORGED)
    assert plain == forged
    spoilt = body(distributionStatus="x")
    assert decided(spoilt) == decided(spoilt, headers=FORGED)


def test_the_key_of_what_the_hub_gives_back_is_in_its_header() -> None:
    decision = decide(from_hub(body()), RULES, NOW)
    assert isinstance(decision, Forward) and (decision.key, decision.client) == (KEY, SAMU)
    expired = decide(from_hub(body(dateTimeExpires=when(-1))), RULES, NOW)
    assert isinstance(expired, Refuse) and (expired.code, expired.client, expired.key) == (400, SAMU, KEY)


def test_what_the_hub_gives_back_is_decided_anew() -> None:
    """Forty seconds on the ladder: an expiration is less by that, or it is refused 400."""
    given = from_hub(body(dateTimeExpires=when(50)), headers={"x-hub-attempt": 2})
    later = decide(given, RULES, NOW + 40)
    assert isinstance(later, Forward) and later.expiration_ms == 10_000
    too_late = decide(given, RULES, NOW + 50)
    assert isinstance(too_late, Refuse) and too_late.code == 400


def test_parked_undecoded_is_a_park() -> None:
    decision = decided(body(), redelivered=True, headers={"x-delivery-count": 8})
    assert decision == Park(names.REASON_POISON, REFERENCE, SAMU, KEY, decision.facts)


def test_the_decision_is_the_same_each_time() -> None:
    for payload in (body(), b"x", orjson.dumps({})):
        assert decided(payload) == decided(payload)
