"""Each recipient in its own format: what is converted, what leaves as it came, and what neither format can carry."""

import orjson
import pytest

from router.core import names, outputs
from router.core.decide import decide, park
from router.core.decisions import Discard, Forward, Refuse
from router.core.delivery import Role
from router.core.directory import Client, Format
from router.core.refusals import Code, cause
from router.core.report import Report, report, report_id
from tests.router.core.making import (
    MAX_MESSAGE_BYTES,
    NOW,
    SAMU,
    SAMU2,
    SDIS,
    XML,
    body,
    decoded,
    delivery,
    envelope,
    pack,
    reference,
    rules,
    when,
)

RULES = rules()
ID = f"{XML.id}_1"


def xml(text: bytes) -> bytes:
    return pack().xml.write_message(text)


def decided(payload: bytes, sender: Client, content_type: str | None) -> Forward | Refuse:
    found = decide(delivery(payload, sender.publish_keys[0], content_type=content_type), RULES, NOW)
    assert isinstance(found, Forward | Refuse)
    return found


@pytest.mark.parametrize("sender", (SAMU, XML), ids=("json", "xml"))
@pytest.mark.parametrize("recipient", (SAMU2, XML), ids=("json", "xml"))
@pytest.mark.parametrize("written_in", Format)
def test_a_recipient_gets_its_own_format_whatever_the_sender_wrote(
    sender: Client, recipient: Client, written_in: Format
) -> None:
    text = body(sender, recipient)
    payload = text if written_in is Format.JSON else xml(text)
    given = delivery(
        payload, sender.publish_keys[0], content_type=f"application/{written_in}", content_encoding="utf-8"
    )
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Forward)
    wanted = recipient.wire_format
    assert decision.converted_to is (None if wanted is written_in else wanted)
    assert decision.body == (text if wanted is Format.JSON else xml(text))
    output = outputs.forward(given, decision, NOW)
    read = decoded(output.first, output.last)
    assert (output.body, read.content_type, read.content_encoding) == (decision.body, f"application/{wanted}", "utf-8")
    assert read.headers.get(names.HEADER_CONVERSION) == (None if wanted is written_in else wanted.value)
    if wanted is written_in:
        assert decision.body is payload


def test_a_converted_message_without_a_type_gets_one() -> None:
    given = delivery(xml(body(SDIS, SAMU)), SDIS.publish_keys[0], content_type=None)
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Forward)
    output = outputs.forward(given, decision, NOW)
    assert decoded(output.first, output.last).content_type == "application/json"


def test_an_earlier_namespace_is_read_with_a_warning_and_never_written() -> None:
    old = xml(body(XML, SAMU)).replace(b"urn:emergency:eda:1.9", b"urn:emergency:cisu:3.0", 1)
    decision = decided(old, XML, "application/xml")
    assert isinstance(decision, Forward) and decision.body == body(XML, SAMU)
    assert [warning.rule for warning in decision.warnings] == ["namespace_alias"]


@pytest.mark.parametrize("payload", (b"", b"<", b"<a/>", b"\xff", body(XML, SAMU), b"<!DOCTYPE a><a/>"))
def test_what_is_no_xml_message_is_refused_300(payload: bytes) -> None:
    refused = decided(payload, XML, "application/xml")
    assert isinstance(refused, Refuse) and refused.code is Code.INVALID_MESSAGE
    assert refused.reference == (ID if payload.startswith(b"{") else names.NO_REFERENCE)


def test_faults_of_xml_and_of_the_model_are_named_together() -> None:
    spoiled = xml(body(XML, SAMU)).replace(b"<reference xmlns", b'<reference mine="1" xmlns', 1)
    spoiled = spoiled.replace(b"<status>Actual", b"<status>Later", 1)
    refused = decided(spoiled, XML, "application/xml")
    assert isinstance(refused, Refuse) and refused.code is Code.INVALID_MESSAGE and refused.reference == ID
    assert "@mine" in refused.cause and ".status" in refused.cause and "Later" not in refused.cause
    assert (refused.facts.sender, refused.facts.recipient) == (XML.id, SAMU.id)


def test_what_xml_cannot_carry_is_refused_600_with_its_path() -> None:
    text = orjson.dumps(envelope(SAMU, XML, content=[reference(distributionID="bell \a")]))
    refused = decided(text, SAMU, "application/json")
    assert isinstance(refused, Refuse) and refused.code is Code.MESSAGE_CONVERSION_ERROR
    assert "message.reference.distributionID" in refused.cause and "bell" not in refused.cause
    assert isinstance(decided(text.replace(XML.id.encode(), SAMU2.id.encode()), SAMU, "application/json"), Forward)


@pytest.mark.parametrize("written_in, sign", ((Format.JSON, "&"), (Format.XML, "\n")))
def test_a_conversion_that_grows_beyond_the_limit_is_refused_600(written_in: Format, sign: str) -> None:
    """The broker would close the channel for it, and with it everybody's messages."""
    recipient = XML if written_in is Format.JSON else SAMU
    descriptor = {**envelope(XML, recipient)["descriptor"], "language": sign * (MAX_MESSAGE_BYTES * 3 // 4)}
    text = body(XML, recipient, descriptor=descriptor)
    payload = text if written_in is Format.JSON else xml(text)
    refused = decided(payload, XML, f"application/{written_in}")
    assert len(payload) < MAX_MESSAGE_BYTES
    assert isinstance(refused, Refuse) and refused.code is Code.MESSAGE_CONVERSION_ERROR
    assert refused.cause == cause("converted_too_large", limit=MAX_MESSAGE_BYTES)


@pytest.mark.parametrize("levels", (120, 130, 240))
def test_free_elements_nested_as_deep_as_xml_may_be_are_a_message_all_the_same(levels: int) -> None:
    """Repeated ones are lists: twice as many levels in JSON."""
    error = {
        "errorCode": {"statusCode": 300, "statusString": "INVALID_MESSAGE"},
        "errorCause": "cause",
        "sourceMessage": {"free": "here"},
        "referencedDistributionID": "id",
    }
    content = [{"jsonContent": {"embeddedJsonContent": {"message": {"error": error}}}}]
    text = xml(body(XML, SAMU, distributionKind="Error", content=content))
    deep = b"<a>1</a><a>" * levels + b"x" + b"</a>" * levels
    given = delivery(text.replace(b"<free>here</free>", deep), XML.publish_keys[2], content_type="application/xml")
    decision = decide(given, RULES, NOW)
    assert isinstance(decision, Forward) and decision.body.count(b'"a":["1"') == levels


def test_of_an_expired_message_nothing_is_converted() -> None:
    refused = decided(body(SAMU, XML, dateTimeExpires=when(-1)), SAMU, "application/json")
    assert isinstance(refused, Refuse) and refused.code is Code.EXPIRED_MESSAGE_BEFORE_ROUTING


# ---- reports, dead letters, parking ---------------------------------------------------------------


def test_a_report_is_in_its_clients_format() -> None:
    told = Report(XML, Code.INVALID_MESSAGE, "cause", "id \a & \ud7ff<")
    content_type, payload = report(told, report_id(b"x", "key", NOW), pack(), NOW)
    reading = pack().xml.read_message(payload)
    assert content_type == "application/xml" and reading.faults == () and pack().check_message(reading.json) == ()
    error = orjson.loads(reading.json)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    assert error["referencedDistributionID"] == "id \ufffd & \ud7ff<"


def dead(payload: bytes, sender: Client) -> Discard | Refuse:
    headers = {"x-hub-key": sender.publish_keys[0], "x-death": [{"reason": "rejected", "queue": "q", "count": 1}]}
    place = {"role": Role.DEAD_INBOX, "queue": names.DEAD_INBOX, "exchange": names.DEAD_INBOX}
    found = decide(delivery(payload, "q", headers=headers, content_type="application/xml", **place), RULES, NOW)
    assert isinstance(found, Discard | Refuse)
    return found


def test_a_dead_message_in_xml_is_reported_and_a_dead_report_is_not() -> None:
    refused = dead(xml(body(SAMU, XML)), SAMU)
    assert isinstance(refused, Refuse) and refused.code is Code.DEAD_LETTER_QUEUED
    assert (refused.reference, refused.client, refused.facts.kind) == (f"{SAMU.id}_1", SAMU, "Report")
    told = Report(XML, Code.INVALID_MESSAGE, "cause", "id")
    found = dead(report(told, report_id(b"x", "key", NOW), pack(), NOW)[1], SAMU)
    assert isinstance(found, Discard) and found.reason == "dead_report"


def test_a_parked_message_in_xml_is_kept_until_it_expires() -> None:
    given = delivery(xml(body(XML, SAMU)), XML.publish_keys[0], content_type="application/xml")
    copy, told = outputs.parking(given, park(given, RULES, "publish_nacked"), pack(), NOW)
    assert decoded(copy.first, copy.last).expiration == str(3600 * 1000)
    assert decoded(told.first, told.last).content_type == "application/xml"
