"""JSON -> XML -> JSON is the identity on whatever is written; what is not written is refused with its path."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.validators.support import (
    OWN,
    case_of,
    dumped,
    envelope_of,
    message_of,
    own_bodies,
    own_message,
    pack,
    wrapped,
)
from tests.validators.xml.support import PACKS, canonical
from tests.validators.xml.test_differential import some_message
from validators import Fault, Unwritable

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WAY = "$.content[0].jsonContent.embeddedJsonContent.message"


def through(value: Any) -> Any:
    """There and back; no fault of XML's own, and the pack still accepts it."""
    reading = pack().xml.read_message(pack().xml.write_message(dumped(value)))
    assert pack().all_faults(reading) == () and reading.warnings == ()
    return orjson.loads(reading.json)


def refusal(value: Any) -> Fault:
    assert pack().check_message(dumped(value)) == (), "only what is valid counts here"
    with pytest.raises(Unwritable) as refused:
        pack().xml.write_message(dumped(value))
    (fault,) = refused.value.faults
    return fault


def error_with(source: Any) -> Any:
    return wrapped("error", {**own_bodies()["error"], "sourceMessage": source})


@given(st.text(), st.text(st.sampled_from(" \t\n\r<&>'\"]\u0085\u2028\ufeff")))
def test_every_text_that_xml_has_comes_back(one: str, other: str) -> None:
    value = own_message()
    case_of(value)["freetext"] = [one, other, one + other]
    if FORBIDDEN.search(one):
        assert refusal(value) == Fault(f"{WAY}.createCase.freetext[0]", "xml_text", "", "string")
    else:
        assert through(value) == value


def test_a_carriage_return_is_written_as_a_reference() -> None:
    value = own_message()
    case_of(value)["freetext"] = ["a\r\nb\rc\n\td "]
    assert b"a&#13;\nb&#13;c\n\td " in pack().xml.write_message(dumped(value))
    assert through(value) == value


@given(st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back(number: float) -> None:
    value = wrapped("technicalNoreq", {"numberField": number, "integerField": int(number)})
    assert through(value) == orjson.loads(dumped(value))


@pytest.mark.parametrize("version", PACKS)
def test_random_messages_come_back(version: str, scale: Callable[[int, int], int]) -> None:
    judge, seen = PACKS[version](), Counter[str]()
    for seed in range(scale(300, 5_000)):
        value = some_message(judge, Random(seed))
        try:
            body = judge.xml.write_message(dumped(value))
        except Unwritable as refused:
            (fault,) = refused.faults
            assert _uncarriable(orjson.loads(dumped(value)), fault), fault
            seen[fault.rule] += 1
            continue
        reading = judge.xml.read_message(body)
        assert orjson.loads(reading.json) == orjson.loads(dumped(value))
        assert judge.all_faults(reading) == ()
        seen["carried"] += 1
    assert seen["carried"] > 100 and seen["xml_text"] > 5 and seen["xml_list"] > 5, seen


def _uncarriable(value: Any, fault: Fault) -> bool:
    """Whether what is at the fault's path is what it says."""
    for step in re.findall(r"\.([A-Za-z_]\w*)|\[(\d+)\]", fault.path):
        value = value[step[0]] if step[0] else value[int(step[1])]
    match fault.rule:
        case "xml_text":
            return FORBIDDEN.search(value) is not None
        case "xml_list":
            return isinstance(value, list) and len(value) < 2
        case "open":
            return "beside" in fault.path
    return ".beside" in fault.path and fault.rule == "type" and not isinstance(value, str)


@pytest.mark.parametrize("path", sorted((OWN / "xml").glob("*.xml")), ids=lambda path: path.stem)
def test_own_samples(path: Path) -> None:
    body = path.read_bytes()
    root = etree.QName(etree.fromstring(body)).localname
    if root == "edxlDistribution":
        told: Any = own_message()
        assert orjson.loads(pack().xml.read_message(body).json) == told
        assert canonical(pack().xml.write_message(dumped(told))) == canonical(body)
    else:
        told = {root: own_bodies()[root]}
        assert orjson.loads(pack().xml.read_case(body).json) == told
        assert canonical(pack().xml.write_case(dumped(told))) == canonical(body)


def test_there_is_a_sample_of_each_body() -> None:
    assert {path.stem for path in (OWN / "xml").glob("*.xml")} >= {"rc-eda", *own_bodies()} - {"customContent"}


def test_a_message_of_several_contents_is_written_and_read() -> None:
    value = own_message()
    value["content"] = [value["content"][0], *wrapped("technicalNoreq", {"integerField": 3})["content"]]
    body = pack().xml.write_message(dumped(value))
    assert body.count(b"<content ") == 1 and body.count(b"<contentObject ") == 2
    assert through(value) == value


def test_namespaces_and_links_are_those_of_the_protocol() -> None:
    root = etree.fromstring(pack().xml.write_message(dumped(own_message())))
    told = {etree.QName(e).localname: (etree.QName(e).namespace, dict(e.attrib)) for e in root.iter()}
    edxl, link = "urn:oasis:names:tc:emergency:EDXL:DE:2.0", "{http://www.w3.org/1999/xlink}type"
    assert told["edxlDistribution"] == (edxl, {link: "extended"})
    for name in ("descriptor", "content", "contentObject"):
        assert told[name] == (edxl, {link: "resource"})
    assert told["embeddedXMLContent"] == (edxl, {})
    assert told["message"] == told["messageId"] == ("urn:emergency:eda:1.9", {})
    assert told["createCase"] == told["caseId"] == ("urn:emergency:eda:1.9:createCase", {})


@pytest.mark.parametrize(
    ("message", "where", "rule"),
    [
        ({"technicalNoreq": {"arrayField": []}}, ".technicalNoreq.arrayField", "xml_list"),
        ({"technicalNoreq": {}, "beside": "x"}, ".beside", "open"),
        ({"technicalNoreq": {}, "not a name": "x"}, '["not a name"]', "open"),
        ({"customContent": {"content": "text"}}, ".customContent.content", "open"),
    ],
)
def test_what_xml_cannot_carry_is_refused_with_its_path(message: Any, where: str, rule: str) -> None:
    fault = refusal(envelope_of(message))
    assert (fault.path, fault.rule) == (WAY + where, rule)


def test_a_field_beside_message_is_refused() -> None:
    value = envelope_of({"technicalNoreq": {}}, beside=1)
    assert refusal(value).path == WAY.removesuffix(".message") + ".beside"


def test_a_header_beside_a_use_case_without_one_is_refused() -> None:
    value = envelope_of({"technicalNoreq": {}, "messageId": "x"})
    assert refusal(value) == Fault(f"{WAY}.messageId", "open", "", "string")


@pytest.mark.parametrize(
    ("source", "where", "rule"),
    [
        ({"a": {}}, ".a", "open"),
        ({"a": 1}, ".a", "type"),
        ({"a": None}, ".a", "type"),
        ({"a": ["x"]}, ".a", "xml_list"),
        ({"a": ["x", ["y"]]}, ".a[1]", "xml_list"),
        ({"content": "x"}, ".content", "xml_list"),
        ({"a": {"b": {"not a name": "x"}}}, '.a.b["not a name"]', "xml_name"),
        ({"a": {"b": "\ufffe"}}, ".a.b", "xml_text"),
    ],
)
def test_a_source_message_that_would_come_back_as_another(source: Any, where: str, rule: str) -> None:
    fault = refusal(error_with(source))
    assert (fault.path, fault.rule) == (f"{WAY}.error.sourceMessage{where}", rule)


def test_a_source_message_comes_back() -> None:
    whole = own_message()
    whole["content"] = [{"jsonContent": {"embeddedJsonContent": {"message": {"unknown": "x", "é": ["a", "b"]}}}}]
    value = error_with(whole)
    assert through(value) == value
    assert through(error_with({})) == error_with({})


def test_a_source_message_too_deep_to_be_read_is_refused() -> None:
    source: Any = "x"
    for _ in range(190):
        source = {"a": source}
    assert through(error_with(source)) == error_with(source)
    for _ in range(20):
        source = {"a": source}
    assert refusal(error_with(source)).rule == "open"


def test_no_value_is_in_a_refusal() -> None:
    value = own_message()
    case_of(value)["freetext"] = ["secret\x00"]
    message_of(value)["messageId"] = "x"
    assert "secret" not in repr(refusal(value))
