"""What is refused, where and why; and that nothing but a verdict comes out, whatever the bytes."""

import copy
import json
import time
from random import Random
from typing import Any

import msgspec
import pytest

from tests.validators.support import (
    accept,
    at,
    case_of,
    content_bytes,
    dumped,
    envelope_of,
    faults_of,
    header,
    message_of,
    own_bodies,
    own_message,
    pack,
    slow,
    wrapped,
)
from validators import ContentFaults, Fault

JSON_FAULT = {("$", "json")}


def refused(whole: Any) -> set[tuple[str, str]]:
    """Path and rule of the faults of a message; the content's check gives those of the content too."""
    faults = pack().check_message(dumped(whole))
    assert set(faults_of(content_bytes(whole))) <= set(faults)
    return at(faults)


def test_own_messages_are_accepted() -> None:
    content = content_bytes(own_message())
    assert accept(content) == pack().check(content) == slow(content) == ("RC-EDA",)
    assert pack().check(msgspec.Raw(content)) == ("RC-EDA",)
    for root, body in own_bodies().items():
        whole = wrapped(root, body)
        assert pack().check_message(dumped(whole)) == (), root
        assert pack().check_envelope(dumped(whole)) == ()
        assert len(pack().check(content_bytes(whole))) == 1


def test_several_content_elements_are_each_checked() -> None:
    first, second = own_message(), wrapped("reference", own_bodies()["reference"])
    first["content"] += second["content"]
    assert pack().check(content_bytes(first)) == ("RC-EDA", "RC-REF")
    del message_of(second)["reference"]["distributionID"]
    del case_of(first)["caseId"]
    assert refused(first) == {
        (".createCase.caseId", "required"),
        ("$.content[1].jsonContent.embeddedJsonContent.message.reference.distributionID", "required"),
    }


def test_every_fault_of_the_content_is_listed_with_its_path_and_rule() -> None:
    whole = own_message()
    case = case_of(whole)
    case["mystery"] = 1
    case["creation"] = "2024-02-30T08:11:02+01:00"
    case["initialAlert"]["reception"] = "yesterday"
    case["qualification"]["whatsHappen"] = {"code": "C2", "label": 7}
    case["location"]["country"] = "XX"
    case["location"]["geometry"]["point"]["coord"]["lat"] = "45"
    case["freetext"] = "no list"
    case["caseId"] += "\n"
    message_of(whole)["recipient"] = []
    del message_of(whole)["sentAt"]
    assert refused(whole) == {
        (".createCase.mystery", "unknown"),
        (".createCase.creation", "format"),
        (".createCase.initialAlert.reception", "pattern"),
        (".createCase.qualification.whatsHappen.code", "pattern"),
        (".createCase.qualification.whatsHappen.label", "type"),
        (".createCase.location.country", "enum"),
        (".createCase.location.geometry.point.coord.lat", "type"),
        (".createCase.freetext", "type"),
        (".createCase.caseId", "pattern"),
        (".recipient", "min_items"),
        (".sentAt", "required"),
    }


def test_faults_of_envelope_and_content_are_both_listed() -> None:
    whole = own_message()
    del whole["senderID"]
    whole["descriptor"]["language"] = None
    whole["dateTimeSent"] = "2024-03-12T08:15:30"
    whole["extra"] = 1
    del case_of(whole)["caseId"]
    envelope = {
        ("$.senderID", "required"),
        ("$.descriptor.language", "type"),
        ("$.dateTimeSent", "format"),
        ("$.extra", "unknown"),
    }
    assert refused(whole) == envelope | {(".createCase.caseId", "required")}
    assert at(pack().check_envelope(dumped(whole))) == envelope
    assert at(faults_of(content_bytes(whole))) == {(".createCase.caseId", "required")}


def test_the_envelope_alone_does_not_look_into_the_content() -> None:
    for content in ([1], [{"unknown": 1}], [None, []]):
        whole = {**own_message(), "content": content}
        assert pack().check_envelope(dumped(whole)) == ()
        assert pack().check_message(dumped(whole)) != ()
    for bad, rule in (([], "min_items"), ({}, "type"), (None, "type")):
        assert at(pack().check_envelope(dumped({**own_message(), "content": bad}))) == {("$.content", rule)}


def test_no_use_case_and_two_use_cases_are_refused() -> None:
    assert refused(envelope_of({})) == {("", "use_case")}
    assert refused(envelope_of(header())) == {("", "use_case")}
    assert ("", "use_case") in refused(envelope_of({"mystery": 1, "messageId": "x"}))
    reference = own_bodies()["reference"]
    two = {**header(), "reference": reference, "customContent": {}}
    assert refused(envelope_of(two)) == {("", "use_case")}
    # The published `oneOf` alone would take this one, since the other use case is worth nothing.
    assert refused(envelope_of({**header(), "reference": {}, "customContent": {}})) == {
        ("", "use_case"),
        (".reference.distributionID", "required"),
    }


def test_the_header_alone_is_a_use_case_below_its_root() -> None:
    alone = content_bytes(envelope_of({"distributionElement": header()}))
    assert accept(alone) == pack().check(alone) == ("RC-DE",)
    assert refused(envelope_of({"distributionElement": {**header(), "beside": 1}})) == set()
    nothing = {(f".distributionElement.{name}", "required") for name in header()}
    assert refused(envelope_of({**header(), "distributionElement": {}})) == nothing
    both = {**header(), "distributionElement": header(), "reference": own_bodies()["reference"]}
    assert refused(envelope_of(both)) == {("", "use_case")}


def test_the_header_is_due_where_the_use_case_says_so() -> None:
    bodies = own_bodies()
    without = refused(envelope_of({"reference": bodies["reference"]}))
    assert without == {(f".{name}", "required") for name in header()}
    assert refused(envelope_of({"technicalNoreq": {}})) == set()
    # Where it is not due, the model says nothing about fields of its names.
    assert refused(envelope_of({"technicalNoreq": {}, "messageId": 5, "sender": []})) == set()
    assert refused(envelope_of({**header(), "customContent": {}})) == set()


def test_what_the_models_leave_open_passes() -> None:
    whole = own_message()
    message_of(whole)["beside"] = {"anything": [1, None]}
    whole["content"][0]["jsonContent"]["embeddedJsonContent"]["beside"] = 1
    assert accept(content_bytes(whole)) is None
    assert pack().check(content_bytes(whole)) == ("RC-EDA",)
    whole["content"][0]["jsonContent"]["beside"] = 1
    assert refused(whole) == {("$.content[0].jsonContent.beside", "unknown")}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1]", {("$.content[0]", "type")}),
        (b"{}", {("$.content", "type")}),
        (b"null", {("$.content", "type")}),
        (b"[]", {("$.content", "min_items")}),
        (b'[{"jsonContent":{"embeddedJsonContent":{"message":"technicalNoreq"}}}]', {("", "type")}),
        (b'[{"jsonContent":{"embeddedJsonContent":{}}}]', {("", "required")}),
        (b"", JSON_FAULT),
        (b" ", JSON_FAULT),
        (b"[", JSON_FAULT),
        (b"[]]", JSON_FAULT),
        (b"nul", JSON_FAULT),
        (b"[NaN]", JSON_FAULT),
        (b"[Infinity]", JSON_FAULT),
        (b"[-Infinity]", JSON_FAULT),
        (b"[1e999]", JSON_FAULT),
        (b"[01]", JSON_FAULT),
        (b'["\\ud800"]', JSON_FAULT),
        (b'["\\udc00\\ud800"]', JSON_FAULT),
        (b'["\x01"]', JSON_FAULT),
        (b"\xef\xbb\xbf[]", JSON_FAULT),
        (b"[" * 10_000 + b"]" * 10_000, JSON_FAULT),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON_FAULT),
        (b'["\xff"]', {("$", "utf8")}),
        (b'["\xed\xa0\x80"]', {("$", "utf8")}),
        (b'["\xc0\x80"]', {("$", "utf8")}),
        (b"\xff\xfe[\x00]\x00", {("$", "utf8")}),
    ],
)
def test_what_is_no_content(content: bytes, expected: set[tuple[str, str]]) -> None:
    assert at(faults_of(content)) == expected
    assert accept(content) is None
    for check in (pack().check_message, pack().check_envelope):
        assert check(content) != ()


OPEN_PLACES = (
    b'[{"jsonContent":{"embeddedJsonContent":{"message":{"customContent":{"x":%s}}}}}]',
    b'[{"jsonContent":{"embeddedJsonContent":{"message":{"technicalNoreq":{},"x":%s}}}}]',
    b'[{"jsonContent":{"embeddedJsonContent":{"x":%s,"message":{"technicalNoreq":{}}}}}]',
    b'[{"jsonContent":{"embeddedJsonContent":{"message":{"error":{"errorCode":{"statusCode":1,"statusString":""},'
    b'"errorCause":"","referencedDistributionID":"","sourceMessage":{"x":%s}}}}}}]',
)


@pytest.mark.parametrize("place", OPEN_PLACES)
def test_nothing_slips_through_an_open_class(place: bytes) -> None:
    for good in (b"1", b'"\xc3\xa9"', b"[[null]]", b"123456789012345678901234567890", b'"\\ud83d\\ude92"'):
        assert faults_of(place % good) == (), good
    for bad in (b"NaN", b"1e999", b'"\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b"9" * 400, b"[" * 5_000 + b"]" * 5_000):
        assert faults_of(place % bad) != (), bad
        assert accept(place % bad) is None


def with_body(root: str, raw: str) -> bytes:
    """A content whose use-case body is this JSON text."""
    headed = root not in ("technicalNoreq", "customContent", "error")
    message = {**(header() if headed else {}), root: "@"}
    return content_bytes(envelope_of(message)).replace(b'"@"', raw.encode("utf-8"))


@pytest.mark.parametrize(
    ("raw", "accepted"),
    [
        ('{"integerField": 1.0}', True),
        ('{"integerField": 1e2}', True),
        ('{"integerField": 1.5}', False),
        ('{"integerField": 9223372036854775808}', True),
        ('{"integerField": 1e308}', True),
        ('{"integerField": ' + "9" * 400 + "}", False),
        ('{"integerField": ' + "9" * 5_000 + "}", False),
        ('{"integerField": true}', False),
        ('{"numberField": 123456789012345678901234567890}', True),
        ('{"numberField": false}', False),
        ('{"numberField": "1"}', False),
        ('{"numberField": -0.0}', True),
        ('{"booleanField": 1}', False),
        ('{"optionalStringField": null}', False),
        ('{"optionalStringField": "\\u0000"}', True),
        ('{"optionalStringField": "' + "x" * 1_000_000 + '"}', True),
        ('{"datetimeField": "2024-02-29T00:00:00+01:00"}', True),
        ('{"datetimeField": "2023-02-29T00:00:00+01:00"}', False),
        ('{"datetimeField": "2024-01-01T00:00:60+01:00"}', False),
        ('{"datetimeField": "2024-01-01T00:00:00Z"}', False),
        ('{"datetimeField": "2024-01-01T00:00:00+01:00\\n"}', False),
        ('{"phoneNumberField": "\\u0660\\u0661\\u0662"}', False),
        ('{"dateField": "2024-99-99"}', True),
        ('{"emailField": "a.b@c-d.fr"}', True),
        ('{"enumArrayField": ["ENUM_VALUE_10"]}', True),
        ('{"arrayWithMaxLength": ["1","2","3","4","5"]}', True),
        ('{"arrayWithMaxLength": ["1","2","3","4","5","6"]}', False),
        ('{"integerField": 1, "integerField": 2}', True),
        ('{"integerField": "x", "integerField": 2}', True),  # the last of two equal names wins
        ('{"integerField": 2, "integerField": "x"}', False),
        ('{"\\u0069ntegerField": 2}', True),
        ("{}", True),
        ("[]", False),
        ("null", False),
    ],
)
def test_json_semantics(raw: str, accepted: bool) -> None:
    content = with_body("technicalNoreq", raw)
    faults = faults_of(content)
    assert (faults == ()) is accepted
    assert accept(content) is None or accepted
    judged = slow(content)
    assert any(isinstance(part, Fault) for part in judged) is not accepted


def test_max_items_and_unknown_names_at_every_depth() -> None:
    whole = wrapped(
        "technicalNoreq", {"arrayWithMaxLength": list("abcdef"), "objectLevel1": {"object1Level2": {"x": 1}}}
    )
    assert refused(whole) == {
        (".technicalNoreq.arrayWithMaxLength", "max_items"),
        (".technicalNoreq.objectLevel1.object1Level2.x", "unknown"),
    }


@pytest.mark.parametrize("field", ["caseId", "creation"])
def test_hostile_texts_in_a_message_cost_little(field: str) -> None:
    whole = own_message()
    pack().compile()
    for text in ("a" * 10_000 + "!", "a." * 5_000, "2024-" * 2_000 + "!"):
        case_of(whole)[field] = text
        body = dumped(whole)
        best = 1.0
        for _ in range(5):
            begun = time.process_time()
            assert pack().check_message(body) != ()
            best = min(best, time.process_time() - begun)
        assert best < 0.012


def test_no_value_and_no_long_name_of_the_payload_is_in_a_fault() -> None:
    whole = own_message()
    case_of(whole)["caseId"] = "SECRET VALUE"
    case_of(whole)["creation"] = "SECRET VALUE"
    case_of(whole)["location"]["country"] = "SECRET VALUE"
    case_of(whole)["freetext"] = {"SECRET": "SECRET VALUE"}
    case_of(whole)["é\n\u202e" + "n" * 5_000] = "SECRET VALUE"
    faults = pack().check_message(dumped(whole))
    assert "SECRET" not in repr(faults)
    long = next(fault for fault in faults if fault.rule == "unknown")
    assert long.path.isascii() and len(long.path) < 160 and "\n" not in long.path


def test_faults_are_bounded_and_the_rest_is_counted() -> None:
    whole = wrapped("technicalNoreq", {f"x{i}": i for i in range(2_000)})
    faults = pack().check_message(dumped(whole))
    assert len(faults) == 501
    assert (faults[-1].rule, faults[-1].expected) == ("more", "1500")
    case_of(whole := own_message())["qualification"]["riskThreat"] = [1] * 300_000
    body = dumped(whole)
    begun = time.process_time()
    assert pack().check_message(body)[-1].expected == "9500"
    assert time.process_time() - begun < 0.2


def test_any_bytes_give_a_verdict_and_nothing_else(scale: Any) -> None:
    rnd = Random(11)
    seeds = [dumped(own_message()), *(dumped(wrapped(root, body)) for root, body in own_bodies().items())]
    accepted = 0
    for _ in range(scale(4_000, 200_000)):
        body = bytearray(rnd.choice(seeds))
        for _ in range(rnd.randrange(1, 4)):
            _spoil(body, rnd)
        raw = bytes(body)
        whole = pack().check_message(raw)
        envelope = pack().check_envelope(raw)
        assert isinstance(whole, tuple) and set(envelope) <= set(whole)
        # Whatever stands for the content.
        begin = raw.find(b'"content": ') + len(b'"content": ')
        part = raw[begin:-1]
        sound = accept(part)
        judged = slow(part)
        if sound is not None:
            accepted += 1
            assert sound == judged
            part.decode("utf-8")
        try:
            assert pack().check(part) == judged
        except ContentFaults as error:
            assert error.faults == judged and judged
            assert str(error) == f"{len(judged)} faults"
    assert accepted > 0


def _spoil(body: bytearray, rnd: Random) -> None:
    at_byte = rnd.randrange(len(body))
    match rnd.randrange(6):
        case 0:
            body[at_byte] = rnd.randrange(256)
        case 1:
            del body[at_byte : at_byte + rnd.choice([1, 1, 2, 50])]
        case 2:
            body[at_byte:at_byte] = rnd.choice(
                [b"\xff", b'"', b"}", b"[", b"1e999", b"NaN", b"\\ud800", b"\x00", b" ", b","]
            )
        case 3:
            body[at_byte] ^= 1 << rnd.randrange(8)
        case 4:
            del body[at_byte:]
            body += b" "
        case 5:
            body[at_byte:at_byte] = body[at_byte : at_byte + rnd.randrange(60)]


def test_the_accept_path_sees_every_byte() -> None:
    """Whatever single byte is replaced by one that UTF-8 never holds, the content is refused."""
    content = content_bytes(own_message())
    for index in range(len(content)):
        for bad in (b"\xff", b"\xc3(", b"\x00"):
            broken = content[:index] + bad + content[index + 1 :]
            assert accept(broken) is None
    assert accept(content) is not None


def test_checks_do_not_change_what_they_are_given() -> None:
    body = dumped(own_message())
    before = copy.copy(body)
    pack().check_message(body)
    assert body == before
    assert json.loads(body) == own_message()
