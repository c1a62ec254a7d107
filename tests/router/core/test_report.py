"""The error report: valid against the hub's own pack, to the client whose key it was, and never twice with one id."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.names import HUB_ID, NO_REFERENCE
from router.core.refusals import Code
from router.core.report import report_body, report_id
from tests.router.core.making import NOW, SAMU, pack

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


def report(code: Code = Code.INVALID_MESSAGE, cause: str = "c", reference: str = "r", now: float = NOW) -> bytes:
    return report_body(SAMU.id, code, cause, reference, report_id(b"body", "key", now), now)


@pytest.mark.parametrize("code", Code)
def test_every_code_makes_a_report_that_the_pack_accepts(code: Code) -> None:
    raw = report(code, "une cause / a cause", NO_REFERENCE)
    assert pack().check_message(raw) == ()
    content = orjson.loads(raw)["content"]
    assert pack().check(orjson.dumps(content)) == ("RS-ERROR",)
    error = content[0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    assert error["errorCode"] == {"statusCode": int(code), "statusString": code.name}
    assert (error["errorCause"], error["referencedDistributionID"]) == ("une cause / a cause", NO_REFERENCE)


def test_the_codes_are_those_of_the_protocol() -> None:
    assert {code.name: int(code) for code in Code} == {
        "DELIVERY_MODE_INCONSISTENCY": 100,
        "NOT_ALLOWED_CONTENT_TYPE": 101,
        "UNRECOGNIZED_MESSAGE_FORMAT": 102,
        "SENDER_INCONSISTENCY": 200,
        "INVALID_MESSAGE": 300,
        "SCHEMA_NOT_FOUND": 301,
        "EXPIRED_MESSAGE_BEFORE_ROUTING": 400,
        "DEAD_LETTER_QUEUED": 500,
        "UNROUTABLE_MESSAGE": 501,
        "MESSAGE_CONVERSION_ERROR": 600,
    }


@given(st.floats(0, 4e9), texts, texts, st.sampled_from(Code))
def test_a_report_is_valid_whatever_it_tells_of(now: float, cause: str, reference: str, code: Code) -> None:
    assert pack().check_message(report(code, cause, reference, now)) == ()


def test_its_envelope_is_the_hubs_and_expires_one_day_later() -> None:
    read = orjson.loads(report(now=NOW + 0.9))
    assert (read["senderID"], read["distributionKind"], read["distributionStatus"]) == (HUB_ID, "Error", "Actual")
    assert read["descriptor"]["explicitAddress"]["explicitAddressValue"] == SAMU.id
    sent = datetime.fromisoformat(read["dateTimeSent"])
    assert sent == datetime.fromtimestamp(NOW, UTC)
    assert (datetime.fromisoformat(read["dateTimeExpires"]) - sent).total_seconds() == 86_400


def test_its_id_is_the_hub_and_a_uuid() -> None:
    hub, _, rest = report_id(b"body", "key", NOW).rpartition("_")
    assert hub == HUB_ID
    assert (str(UUID(rest)), UUID(rest).version) == (rest, 4)


@given(
    st.lists(
        st.tuples(st.binary(max_size=20), st.text(st.characters(codec="utf-8"), max_size=255), st.floats(1.7e9, 1.8e9)),
        unique=True,
        max_size=30,
    )
)
def test_ids_differ_where_body_key_or_moment_differ(about: list[tuple[bytes, str, float]]) -> None:
    assert len({report_id(*one) for one in about}) == len(about)


@pytest.mark.parametrize("length", (1, 40, 64, 100, 255))
def test_ids_differ_in_time_however_long_the_key(length: int) -> None:
    key = "k" * length
    assert report_id(b"body", key, NOW) != report_id(b"body", key, NOW + 0.000_001)
    assert report_id(b"body", key, NOW) != report_id(b"body", key[:-1] + "x", NOW)


def test_a_key_that_is_not_utf8_has_an_id_too() -> None:
    key = b"fr.\xff.out.message".decode("utf-8", "surrogateescape")
    assert report_id(b"body", key, NOW).startswith(HUB_ID)
