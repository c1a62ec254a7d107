import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import orjson
import pytest

import schemas
from router.client.bodies import (
    JSON_TYPE,
    USE_CASES,
    XML_TYPE,
    Fresh,
    date_time,
    party,
    readdressed,
    summary,
)
from router.client.samples import RC_EDA, sample
from validators.dates import parse_date_time

PARIS = timezone(timedelta(hours=1))
NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, PARIS)
FRESH = Fresh("fr.health.a_1", "fr.health.a", NOW)
XML = b"""<?xml version="1.0"?>
<edxlDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:2.0" xmlns:xlink="http://www.w3.org/1999/xlink">
  <distributionID>fr.health.b_7</distributionID><senderID> fr.health.b </senderID>
  <dateTimeSent>2026-01-01T00:00:00+01:00</dateTimeSent><dateTimeExpires>2026-01-02T00:00:00+01:00</dateTimeExpires>
  <distributionStatus>Actual</distributionStatus><distributionKind>Ack</distributionKind>
  <descriptor xlink:type="resource"><language>fr-FR</language><explicitAddress>
  <explicitAddressScheme>hubex</explicitAddressScheme><explicitAddressValue>fr.health.c</explicitAddressValue>
  </explicitAddress></descriptor>
  <content><reference><distributionID>fr.health.c_9</distributionID></reference></content>
</edxlDistribution>"""


def test_every_use_case_of_the_pack_has_its_name() -> None:
    manifest = json.loads((Path(next(iter(schemas.__path__))) / "v3" / "manifest.json").read_text())
    assert {case["root"]: case["model"] for case in manifest["use_cases"]} == USE_CASES


def test_the_summary_of_a_json_message() -> None:
    read = summary(sample(RC_EDA))
    assert (read.content_type, read.kind, read.use_case) == (JSON_TYPE, "message", "RC-EDA")
    assert (read.sender, read.recipient) == ("fr.fire.nexsis.sdis-50", "fr.health.hub.samu050")
    assert read.distribution_id.startswith("fr.fire.nexsis.sdis-50_")
    assert (read.distribution_kind, read.status, read.about) == ("Report", "Exercise", "")


def test_what_a_reference_and_an_error_are_about() -> None:
    def of(message: object) -> str:
        content = [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]
        return summary(orjson.dumps({"content": content})).about

    assert of({"reference": {"distributionID": "x_1", "step": "RECU"}}) == "RECU x_1"
    code = {"statusCode": 400, "statusString": "EXPIRED"}
    assert of({"error": {"errorCode": code, "referencedDistributionID": "x_1"}}) == "400 EXPIRED x_1"
    assert of({"error": {"errorCode": 1, "referencedDistributionID": ["x"]}}) == ""
    assert of({"reference": "x"}) == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"3", b"\xff\xfe", b"{", b'{"content": {}}', b'{"content": [3]}', b'{"senderID": 3}',
     b'{"descriptor": [], "distributionKind": "Unknown"}'],
)  # fmt: skip
def test_a_body_that_says_nothing(body: bytes) -> None:
    read = summary(body)
    assert (read.content_type, read.kind, read.use_case, read.sender) == (JSON_TYPE, None, "", "")


def test_the_summary_of_an_xml_message_takes_the_envelopes_fields() -> None:
    read = summary(XML)
    assert (read.content_type, read.kind, read.use_case) == (XML_TYPE, "ack", "RC-REF")
    assert (read.distribution_id, read.sender, read.recipient) == ("fr.health.b_7", "fr.health.b", "fr.health.c")


def test_xml_is_scanned_in_linear_time() -> None:
    assert summary(b"<" + b"distributionID " * 200_000).distribution_id == ""
    assert summary(b"<distributionID>" * 100_000).sender == ""


def test_a_fresh_message_is_new_in_envelope_and_header() -> None:
    old = orjson.loads(sample(RC_EDA))
    new = orjson.loads(readdressed(sample(RC_EDA), FRESH, "fr.health.z"))
    assert (new["distributionID"], new["senderID"]) == ("fr.health.a_1", "fr.health.a")
    assert new["dateTimeSent"] == "2026-02-03T04:05:06+01:00"
    assert new["dateTimeExpires"] == "2026-02-04T04:05:06+01:00"
    assert new["descriptor"]["explicitAddress"]["explicitAddressValue"] == "fr.health.z"
    message = new["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    assert message["messageId"] == "fr.health.a_1"
    assert message["sender"] == {"name": "a", "URI": "hubex:fr.health.a"}
    assert message["recipient"] == [{"name": "z", "URI": "hubex:fr.health.z"}]
    before = old["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["createCase"]
    assert message["createCase"] == before


def test_another_recipient_alone_leaves_the_rest() -> None:
    new = summary(readdressed(sample(RC_EDA), None, "fr.health.z"))
    old = summary(sample(RC_EDA))
    assert new.recipient == "fr.health.z"
    assert (new.distribution_id, new.sender) == (old.distribution_id, old.sender)


def test_a_message_without_header_gets_none() -> None:
    body = b'{"content": [{"jsonContent": {"embeddedJsonContent": {"message": {"error": {}}}}}]}'
    message = orjson.loads(readdressed(body, FRESH, ""))["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
    assert message == {"error": {}}


def test_a_fresh_xml_message_changes_the_envelope_only() -> None:
    new = readdressed(XML, FRESH, "fr.health.z&z")
    read = summary(new)
    assert (read.distribution_id, read.sender) == ("fr.health.a_1", "fr.health.a")
    assert b"<explicitAddressValue>fr.health.z&amp;z</explicitAddressValue>" in new
    assert b"<reference><distributionID>fr.health.c_9</distributionID></reference>" in new


@pytest.mark.parametrize("body", [b"[]", b"nothing", b"<a/>", b'{"descriptor": 1}'])
def test_what_has_no_envelope_cannot_be_filled_in(body: bytes) -> None:
    with pytest.raises(ValueError):
        readdressed(body, FRESH, "fr.health.z")


def test_dates_are_the_models() -> None:
    assert date_time(NOW) == "2026-02-03T04:05:06+01:00"
    assert parse_date_time(date_time(NOW)) == NOW.replace(microsecond=0).timestamp()


def test_a_party_is_named_by_the_last_word_of_its_id() -> None:
    assert party("fr.fire.nexsis.sdis-50") == {"name": "sdis-50", "URI": "hubex:fr.fire.nexsis.sdis-50"}
    assert party("alone")["name"] == "alone"
