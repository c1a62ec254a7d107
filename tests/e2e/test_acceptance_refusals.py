"""ACCEPTANCE.md 8, 11 to 17, 20 to 24 and 28 (what is JSON of them): each refusal, its code, its cause, its reference,
and that nothing but the report comes of it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.hub import A2, PARTNER, POLICE, A, Hub, S
from tests.support.messages import Body, encoded, in_seconds, inner, message
from tests.support.party import UNAVAILABLE

pytest_plugins = ("tests.support.acceptance",)

XML = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<edxlDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:2.0">'
    "<distributionID>{identifier}</distributionID><senderID>{sender}</senderID>"
    "<distributionKind>Report</distributionKind></edxlDistribution>"
)


def test_08_an_expiry_in_the_past(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    for seconds in (-0.5, -3600.0, -40 * 86_400.0):
        late = a.message(b, expires_in_seconds=seconds)
        a.send(late)
        a.reported(400, late["distributionID"], "dateTimeExpires")
    hub.quiet(a, b)


# ---- content types and bytes ---------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [None, "", "application/octet-stream", "text/plain", "application/jsonx"])
def test_11_no_content_type_of_the_protocol(hub: Hub, content_type: str | None) -> None:
    a, b = hub.party(A), hub.party(A2)
    sent = a.message(b)
    a.send(sent, content_type=content_type)
    a.reported(101, sent["distributionID"], "application/json", "application/xml")
    hub.quiet(a, b)


def test_11_a_partner_hubs_message_with_none_is_xml(hub: Hub) -> None:
    partner, a = hub.party(PARTNER), hub.party(A)
    sent = partner.message(a)
    partner.send(sent, content_type=None)
    partner.reported(300, sent["distributionID"])
    hub.quiet(partner, a)


def test_12_a_json_body_under_the_xml_type(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    sent = a.message(b)
    a.send(sent, content_type="application/xml")
    a.reported(300, sent["distributionID"])
    hub.quiet(a, b)


def test_12_an_xml_body_under_the_json_type(hub: Hub) -> None:
    a = hub.party(A)
    identifier = f"{A}_xml-1"
    a.send(XML.format(identifier=identifier, sender=A).encode())
    a.reported(300, identifier)
    hub.quiet(a)


def _latin_1(body: Body) -> bytes:
    return encoded(body).replace("Saint-Lô".encode(), "Saint-Lô".encode("latin-1"))


def _truncated(body: Body) -> bytes:
    return encoded(body)[:-200]


def _surrogate(body: Body) -> bytes:
    return encoded(body).replace("Saint-Lô".encode(), b"\xed\xa0\x80")


@pytest.mark.parametrize("spoil", [_latin_1, _truncated, _surrogate])
def test_13_bytes_that_are_no_json_the_id_found_in_them(hub: Hub, spoil: Callable[[Body], bytes]) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    a.send(spoil(body))
    a.reported(300, body["distributionID"])
    hub.quiet(a, b)


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"null", b"", b"{}", b'"distributionID"', b"\xff\xfe", b"\0", b"   ", b"[" * 100_000, b'{"a":' * 20_000],
    ids=["list", "null", "empty", "object", "string", "utf-16-mark", "nul", "blanks", "deep-list", "deep-object"],
)
def test_13_bytes_without_an_id(hub: Hub, payload: bytes) -> None:
    a = hub.party(A)
    a.send(payload)
    a.reported(300, UNAVAILABLE)
    hub.quiet(a)


# ---- the models ----------------------------------------------------------------------------------

ENVELOPE = (
    "distributionID",
    "senderID",
    "dateTimeSent",
    "dateTimeExpires",
    "distributionStatus",
    "distributionKind",
    "descriptor",
    "content",
)


@pytest.mark.parametrize("name", ENVELOPE)
def test_14_a_field_of_the_envelope_is_missing(hub: Hub, name: str) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    reference = body["distributionID"] if name != "distributionID" else UNAVAILABLE
    del body[name]
    a.send(body, key=a.key("message"))
    a.reported(300, reference, f"$.{name}")
    hub.quiet(a, b)


def test_14_every_missing_field_is_named(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    for name in ENVELOPE[1:6]:
        del body[name]
    del body["descriptor"]["language"]
    del body["descriptor"]["explicitAddress"]["explicitAddressValue"]
    a.send(body, key=a.key("message"))
    missing = [f"$.{name}" for name in ENVELOPE[1:6]]
    nested = ["$.descriptor.language", "$.descriptor.explicitAddress.explicitAddressValue"]
    a.reported(300, body["distributionID"], *missing, *nested)
    hub.quiet(a, b)


def _unknown_field(content: Body) -> str:
    content["createCase"]["location"]["colour"] = "blue"
    return "createCase.location.colour"


def _wrong_type(content: Body) -> str:
    content["createCase"]["location"]["city"]["name"] = 7
    return "createCase.location.city.name"


def _bad_code(content: Body) -> str:
    content["createCase"]["location"]["country"] = "ATLANTIS"
    return "createCase.location.country"


def _bad_pattern(content: Body) -> str:
    content["createCase"]["qualification"]["whatsHappen"]["code"] = "C2"
    return "createCase.qualification.whatsHappen.code"


def _missing(content: Body) -> str:
    del content["createCase"]["qualification"]["whatsHappen"]["label"]
    return "createCase.qualification.whatsHappen.label"


def _bad_date(content: Body) -> str:
    content["createCase"]["creation"] = "2024-13-01T00:00:00+01:00"
    return "createCase.creation"


CONTENT = "$.content[0].jsonContent.embeddedJsonContent.message."
SPOILT = (_unknown_field, _wrong_type, _bad_code, _bad_pattern, _missing, _bad_date)


@pytest.mark.parametrize("spoil", SPOILT)
def test_15_a_fault_of_the_content_is_named_with_its_path(hub: Hub, spoil: Callable[[Body], str]) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    path = spoil(inner(body))
    a.send(body)
    error = a.reported(300, body["distributionID"], CONTENT + path)
    assert "ATLANTIS" not in error["errorCause"] and "blue" not in error["errorCause"], "a value of the payload"
    hub.quiet(a, b)


def test_15_all_faults_at_once_are_each_named(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    paths = [CONTENT + spoil(inner(body)) for spoil in (_unknown_field, _wrong_type, _bad_code, _bad_pattern)]
    a.send(body)
    a.reported(300, body["distributionID"], *paths)
    hub.quiet(a, b)


def _no_use_case(body: Body) -> None:
    del inner(body)["createCase"]


def _an_unknown_use_case(body: Body) -> None:
    inner(body)["createWonder"] = inner(body).pop("createCase")


def _two_use_cases(body: Body) -> None:
    inner(body)["reference"] = {"distributionID": "fr.health.x_1", "step": "RECU"}


def _a_second_element_without(body: Body) -> None:
    body["content"].append({"jsonContent": {"embeddedJsonContent": {"message": {}}}})


@pytest.mark.parametrize("spoil", [_no_use_case, _an_unknown_use_case, _two_use_cases, _a_second_element_without])
def test_16_not_exactly_one_known_use_case(hub: Hub, spoil: Callable[[Body], None]) -> None:
    a, b = hub.party(A), hub.party(A2)
    body = a.message(b)
    spoil(body)
    a.send(body)
    a.reported(300, body["distributionID"], "$.content")
    hub.quiet(a, b)


# ---- who sends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [A2, S, "fr.health.hub.samu0500", "fr.health.hub"])
def test_17_another_sender_under_ones_own_key(hub: Hub, sender: str) -> None:
    a, b, others = hub.party(A), hub.party("fr.health.samu001"), (hub.party(A2), hub.party(S))
    body = message(sender, b.id)
    a.send(body)
    a.reported(200, body["distributionID"], A)
    hub.quiet(a, b, *others)


@pytest.mark.parametrize("mode", [1, None])
def test_20_not_persistent_from_a_health_client(hub: Hub, mode: int | None) -> None:
    a, b = hub.party(A), hub.party(S)
    body = a.message(b)
    a.send(body, delivery_mode=mode)
    a.reported(100, body["distributionID"], "delivery_mode")
    hub.quiet(a, b)


def test_20_not_persistent_from_a_partner_hub_is_forwarded_and_logged(hub: Hub) -> None:
    partner, a = hub.party(PARTNER), hub.party(A)
    body = partner.message(a)
    sent = partner.send(body, delivery_mode=1)
    a.receives(sent)
    hub.wait_event("forwarded", distribution_id=body["distributionID"], not_persistent=True)
    hub.quiet(partner, a)


@pytest.mark.parametrize(
    "identifier", ["{other}_1", "{id}-1", "{id}", "1", "", "{upper}_1", " {id}_1", "x{id}_1"], ids=str
)
def test_21_a_distribution_id_without_its_senders_prefix(hub: Hub, identifier: str) -> None:
    a, b = hub.party(A), hub.party(S)
    identifier = identifier.format(id=A, other=A2, upper=A.upper())
    a.send(a.message(b, identifier=identifier))
    a.reported(300, identifier or UNAVAILABLE, "distributionID", f"{A}_")
    hub.quiet(a, b)


@pytest.mark.parametrize(("kind", "inbox"), [("Report", "message"), ("Ack", "ack"), ("Error", "info")])
def test_22_a_recipient_without_inbox(hub: Hub, kind: str, inbox: str) -> None:
    a = hub.party(A)
    for recipient in ("fr.health.nobody", "fr.health.hub", "fr.fire.nexsis.sdis-51"):
        body = a.message(recipient, kind)
        a.send(body)
        a.reported(501, body["distributionID"], f"{recipient}.in.{inbox}")
    hub.quiet(a)


@pytest.mark.parametrize(
    "recipient", ["", " ", "a" * 300, "é" * 200, "fr.health.\0", "#", "*", "dispatch.00", "hub.parked"]
)
def test_22_a_recipient_that_is_no_name(hub: Hub, recipient: str) -> None:
    a = hub.party(A)
    body = a.message(recipient)
    a.send(body)
    a.reported(501, body["distributionID"])
    hub.quiet(a)


@pytest.mark.parametrize("recipient", [S, "fr.fire.nobody", "fr.health", "fr.healthy.x", "xfr.health.y"])
def test_23_no_health_actor(hub: Hub, recipient: str) -> None:
    police, fire = hub.party(POLICE), hub.party(S)
    body = police.message(recipient)
    police.send(body)
    police.reported(501, body["distributionID"], "fr.health.")
    hub.quiet(police, fire)


def test_22_a_partners_message_without_an_id(hub: Hub) -> None:
    partner = hub.party(PARTNER)
    partner.send(partner.message("fr.health.nobody", identifier=""))
    partner.reported(501, UNAVAILABLE, "fr.health.nobody.in.message")
    hub.quiet(partner)


@pytest.mark.parametrize("sender", [PARTNER, "fr.fire.nexsis.sdis-77", "fr.fire.sdis33"])
def test_24_a_partner_hubs_other_senders_of_its_own_force(hub: Hub, sender: str) -> None:
    partner, a = hub.party(PARTNER), hub.party(A)
    a.receives(partner.send(message(sender, A)))
    # Its own ids are its own matter.
    a.receives(partner.send(message(sender, A, identifier=f"case-{sender}")))
    hub.quiet(partner, a)


@pytest.mark.parametrize("sender", ["fr.police.hub.pn75", A, "fr.firefly.x", "fr.fire", "fr.health.hub", ""])
def test_24_a_partner_hub_with_a_sender_of_another_force(hub: Hub, sender: str) -> None:
    partner, a, police = hub.party(PARTNER), hub.party(A), hub.party(POLICE)
    body = message(sender, A)
    partner.send(body)
    partner.reported(200, body["distributionID"], "fr.fire.")
    hub.quiet(partner, a, police)


@pytest.mark.parametrize(
    ("kind", "used", "right"),
    [("Report", "ack", "message"), ("Error", "message", "info"), ("Ack", "info", "ack"), ("Cancel", "info", "message")],
)
def test_28_a_kind_under_the_key_of_another(hub: Hub, kind: str, used: str, right: str) -> None:
    a, b = hub.party(A), hub.party(S)
    body = a.message(b, kind)
    a.send(body, key=a.key(used))
    a.reported(300, body["distributionID"], kind, f".{used}", f".{right}")
    hub.quiet(a, b)


# ---- the order of the checks ---------------------------------------------------------------------

Spoil = Callable[[Body, dict[str, Any]], None]


def _type(body: Body, how: dict[str, Any]) -> None:
    how["content_type"] = None


def _invalid(body: Body, how: dict[str, Any]) -> None:
    del body["dateTimeSent"]


def _nobody_of_health(body: Body, how: dict[str, Any]) -> None:
    body["senderID"] = "fr.fire.x"
    body["descriptor"]["explicitAddress"]["explicitAddressValue"] = S


def _sender(body: Body, how: dict[str, Any]) -> None:
    body["senderID"] = A2


def _transient(body: Body, how: dict[str, Any]) -> None:
    how["delivery_mode"] = 1


def _prefix(body: Body, how: dict[str, Any]) -> None:
    body["distributionID"] = "of-nobody"


def _late(body: Body, how: dict[str, Any]) -> None:
    body["dateTimeExpires"] = in_seconds(-5)


def _no_inbox(body: Body, how: dict[str, Any]) -> None:
    body["descriptor"]["explicitAddress"]["explicitAddressValue"] = "fr.health.nobody"


ORDER: list[tuple[Spoil, int]] = [
    (_type, 101),
    (_invalid, 300),
    (_nobody_of_health, 501),
    (_sender, 200),
    (_transient, 100),
    (_prefix, 300),
    (_late, 400),
    (_no_inbox, 501),
]


@pytest.mark.parametrize("first", range(len(ORDER) - 1), ids=[spoil.__name__ for spoil, _ in ORDER[:-1]])
def test_the_checks_are_made_in_the_order_of_the_protocol(hub: Hub, first: int) -> None:
    """A message with a fault and all that are checked after it is refused for the first."""
    a, b = hub.party(A), hub.party(S)
    body = a.message(b)
    how: dict[str, Any] = {}
    # The last ones first: of two spoilers of one field the earlier check's stays.
    for spoil, _ in reversed(ORDER[first:]):
        spoil(body, how)
    if ORDER[first][0] is _sender:
        # The wrong sender of the case before would be no health actor either.
        body["senderID"] = A2
    a.send(body, **how)
    a.reported(ORDER[first][1], body["distributionID"])
    hub.quiet(a, b)


def test_a_refused_message_goes_to_the_client_of_the_key_whatever_it_says(hub: Hub) -> None:
    a, other = hub.party(A), hub.party(A2)
    body = other.message(a, expires_in_seconds=-1)
    a.send(body)
    a.reported(200, body["distributionID"])
    hub.quiet(a, other)


def test_the_largest_body_that_the_broker_takes(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(S)
    body = a.message(b)
    room = 1024 * 1024 - len(encoded(body))
    inner(body)["createCase"]["freetext"] = ["x" * (room - 100)]
    b.receives(a.send(body))
    hub.quiet(a, b)
