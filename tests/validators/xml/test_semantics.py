"""The XML entries of validators/SEMANTICS.md, each a case; and what must never be read."""

import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import validators
from tests.validators.support import OWN, dumped, pack, wrapped
from tests.validators.xml.support import xml_faults
from tests.validators.xml.xsd import is_valid
from validators import ContentFaults, Fault

MESSAGE = "$.content[0].jsonContent.embeddedJsonContent.message"
NOREQ = "urn:emergency:eda:1.9:technicalNoreq"


def bare(inside: str, namespace: str = NOREQ) -> bytes:
    return f'<technicalNoreq xmlns="{namespace}">{inside}</technicalNoreq>'.encode()


def read(body: bytes) -> Any:
    return orjson.loads(pack().xml.read_case(body).json)["technicalNoreq"]


def own() -> bytes:
    return (OWN / "xml" / "rc-eda.xml").read_bytes()


def rules(body: bytes) -> list[tuple[str, str]]:
    return [(fault.path.removeprefix(MESSAGE), fault.rule) for fault in xml_faults(body)]


def whole(root: str, inside: str) -> bytes:
    """A whole message of a use case written by hand."""
    body = pack().xml.write_message(dumped(wrapped("technicalNoreq", {}))).decode()
    return body.replace(f'<technicalNoreq xmlns="{NOREQ}"></technicalNoreq>', inside.replace("ROOT", root)).encode()


def refused_at_once(body: bytes) -> str:
    with pytest.raises(ContentFaults) as refused:
        pack().xml.read_message(body)
    (fault,) = refused.value.faults
    return fault.rule


def test_every_entry_of_the_table_has_its_case() -> None:
    table = (Path(validators.__file__).parent / "SEMANTICS.md").read_text("utf-8").partition("## XML")[2]
    cases = re.findall(r"^# (\d+)$", Path(__file__).read_text("utf-8"), re.MULTILINE)
    assert cases == re.findall(r"^\| (\d+) \|", table, re.MULTILINE)


# 15
@pytest.mark.parametrize("text", ["1.0", "1e2", "INF", "", "1_0", "\u0661", "\u00a01", "0x1"])
def test_integers_are_those_of_xml_schema(text: str) -> None:
    body = bare(f"<integerField>{text}</integerField>")
    assert rules(body) == [("$.technicalNoreq.integerField", "type")]
    assert not is_valid(pack(), body)


@pytest.mark.parametrize(("text", "value"), [(" 7\n", 7), ("+7", 7), ("007", 7), ("-0", 0), ("9" * 30, 1e30)])
def test_integers_that_are_read(text: str, value: float) -> None:
    body = bare(f"<integerField>{text}</integerField>")
    assert rules(body) == [] and is_valid(pack(), body)
    assert read(body) == {"integerField": value}


@pytest.mark.parametrize(("text", "value"), [("1.50", 1.5), (".5", 0.5), ("5.", 5), ("1E3", 1000), (" -2 ", -2)])
def test_numbers_that_are_read(text: str, value: float) -> None:
    body = bare(f"<numberField>{text}</numberField>")
    assert rules(body) == [] and is_valid(pack(), body)
    assert read(body) == {"numberField": value}


# 16
@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 310])
def test_a_number_beyond_a_double_is_refused(text: str) -> None:
    body = bare(f"<numberField>{text}</numberField>")
    assert rules(body) == [("$.technicalNoreq.numberField", "type")]
    assert is_valid(pack(), body)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), (" true ", True), ("false", False)])
def test_booleans_are_those_of_xml_schema(text: str, value: bool) -> None:
    body = bare(f"<booleanField>{text}</booleanField>")
    assert read(body) == {"booleanField": value} and is_valid(pack(), body)


# 17
def test_a_date_that_does_not_exist_is_refused() -> None:
    body = own().replace(b"2024-03-12T08:11:02+01:00", b"2024-02-30T08:11:02+01:00")
    assert rules(body) == [(".createCase.creation", "format")]
    assert is_valid(pack(), body)


# 18
ALIAS = b"urn:emergency:cisu:3.0"


@pytest.mark.parametrize("case", [ALIAS, b"urn:emergency:eda:1.9:createCase"])
def test_an_earlier_namespace_is_read_with_a_warning(case: bytes) -> None:
    body = own().replace(b'"urn:emergency:eda:1.9:createCase"', b'"%s"' % case)
    body = body.replace(b'"urn:emergency:eda:1.9"', b'"%s"' % ALIAS)
    reading = pack().xml.read_message(body)
    assert pack().all_faults(reading) == () and not is_valid(pack(), body)
    assert reading.json == pack().xml.read_message(own()).json
    warned = [Fault(MESSAGE, "namespace_alias", "urn:emergency:eda:1.9", "alias")]
    if case == ALIAS:
        warned.append(Fault(f"{MESSAGE}.createCase", "namespace_alias", "urn:emergency:eda:1.9:createCase", "alias"))
    assert list(reading.warnings) == warned
    assert ALIAS not in pack().xml.write_message(reading.json)


# 19
@pytest.mark.parametrize(
    "inside",
    [
        '<technicalNoreq xmlns="urn:emergency:eda:1.9:technicalNoreq"/><beside/>',
        '<beside/><technicalNoreq xmlns="urn:emergency:eda:1.9:technicalNoreq"/>',
        '<messageId>x</messageId><technicalNoreq xmlns="urn:emergency:eda:1.9:technicalNoreq"/>',
    ],
)
def test_what_json_leaves_open_in_message_is_closed_in_xml(inside: str) -> None:
    body = whole("technicalNoreq", inside)
    assert [rule for _, rule in rules(body)] == ["unknown"]
    assert not is_valid(pack(), body)


# 20
def test_an_open_class_takes_texts_and_elements() -> None:
    body = whole("customContent", "<customContent><a>x</a><b><c/></b><a>1</a></customContent>")
    assert rules(body) == [] and is_valid(pack(), body)
    message = orjson.loads(pack().xml.read_message(body).json)["content"][0]["jsonContent"]["embeddedJsonContent"][
        "message"
    ]
    assert message == {"customContent": {"a": ["x", "1"], "b": {"c": ""}}}


# 21
@pytest.mark.parametrize(
    ("inside", "rule"),
    [('<a id="1"/>', "attribute"), ("<a>x<b/></a>", "text"), ('<a><b xmlns="urn:x"/></a>', "namespace")],
)
def test_what_json_could_not_say_is_refused_in_an_open_class(inside: str, rule: str) -> None:
    body = whole("customContent", f"<customContent>{inside}</customContent>")
    assert [found for _, found in rules(body)] == [rule]
    assert is_valid(pack(), body)


# 22
@pytest.mark.parametrize("name", ["type", "nil"])
def test_xsi_says_nothing_of_types(name: str) -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    value = "technicalNoreq" if name == "type" else "false"
    body = bare("").replace(b" xmlns", f' {xsi} xsi:{name}="{value}" xmlns'.encode())
    assert [rule for _, rule in rules(body)] == ["attribute"]
    hint = bare("").replace(b" xmlns", f' {xsi} xsi:schemaLocation="urn:x x.xsd" xmlns'.encode())
    assert rules(hint) == [] and is_valid(pack(), hint)


# 23
def test_comments_and_instructions_are_not_read() -> None:
    body = bare("<!-- a --><optionalStringField> a<!-- b -->c<?d e?> </optionalStringField><?f?>")
    assert rules(body) == [] and is_valid(pack(), body)
    assert read(body) == {"optionalStringField": " ac "}
    assert read(bare("<optionalStringField> <!-- b -->c</optionalStringField>")) == {"optionalStringField": " c"}
    assert read(bare("<optionalStringField> <![CDATA[ <x> ]]></optionalStringField>")) == {
        "optionalStringField": "  <x> "
    }


def test_blanks_of_a_text_are_its_own() -> None:
    assert read(bare("<optionalStringField> \n\t</optionalStringField>")) == {"optionalStringField": " \n\t"}
    assert read(bare("<optionalStringField/>")) == {"optionalStringField": ""}


# 24
@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "US-ASCII"])
def test_utf8_is_read(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'.encode()
    assert rules(declared + bare("")) == []
    assert rules(b"\xef\xbb\xbf" + declared + bare("<optionalStringField>é</optionalStringField>")) == []


def test_no_other_encoding_is_read() -> None:
    assert refused_at_once(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + own().partition(b"?>")[2]) == "utf8"
    assert refused_at_once(own().decode().encode("utf-16")) == "utf8"
    assert refused_at_once(own().decode().encode("latin-1")) == "utf8"


# 25
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10 if i else b"&a;" * 10) for i in range(9)
)


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE edxlDistribution>",
        b'<?xml version="1.0"?>\n<!-- a --><?b?><!DOCTYPE edxlDistribution SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b"\xef\xbb\xbf" + BOMB + b"]>",
        BOMB,
    ],
)
def test_a_doctype_is_refused_at_once(prolog: bytes) -> None:
    assert refused_at_once(prolog + b"<edxlDistribution>&a8;</edxlDistribution>") == "doctype"


def test_the_word_doctype_in_a_text_is_no_doctype() -> None:
    body = bare("<optionalStringField><![CDATA[<!DOCTYPE x>]]></optionalStringField>")
    assert read(body) == {"optionalStringField": "<!DOCTYPE x>"}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "xml"),
        (b"{}", "xml"),
        (b"<a>", "xml"),
        (b"<edxlDistribution>&unknown;</edxlDistribution>", "xml"),
        (b"<edxlDistribution>\x01</edxlDistribution>", "xml"),
        (b"<a>" * 300 + b"</a>" * 300, "xml"),
        (b"<a/>", "root"),
        (b'<createCase xmlns="urn:emergency:eda:1.9:createCase"/>', "root"),
    ],
)
def test_what_cannot_be_mapped_is_refused_at_once(body: bytes, rule: str) -> None:
    assert refused_at_once(body) == rule


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (b"<caseId>", b'<caseId id="1">', [('.createCase.caseId["@id"]', "attribute")]),
        (b"<caseId>", b"between<caseId>", [(".createCase", "text")]),
        (b'xmlns="urn:emergency:eda:1.9:createCase"', b"", [(".createCase", "namespace")]),
        (b"<createCase", b"<extra><deeper/></extra><createCase", [(".extra", "unknown")]),
        (b"<senderID>fr.fire.nexsis.sdis-24</senderID>", b"", [("$.senderID", "required")]),
        (b"<language>fr-FR</language>", b"<language>a<b/></language>", [("$.descriptor.language", "type")]),
        (b'descriptor xlink:type="resource"', b"descriptor", []),
        (b'<content xlink:type="resource"', b"<content", []),
    ],
)
def test_each_fault_is_named_once(before: bytes, after: bytes, found: list[tuple[str, str]]) -> None:
    assert before in own()
    assert rules(own().replace(before, after, 1)) == found


def test_order_is_binding() -> None:
    body = bare("<numberField>1</numberField><integerField>1</integerField>")
    (fault,) = xml_faults(body)
    assert fault == Fault("$.technicalNoreq.integerField", "order", "numberField", "element")


def test_a_list_is_not_interrupted() -> None:
    first, other = "<arrayField>a</arrayField>", "<enumArrayField>ENUM_VALUE_10</enumArrayField>"
    assert rules(bare(first + other + first))[0] == ("$.technicalNoreq.arrayField[1]", "order")


def test_two_use_cases_are_refused() -> None:
    case = f'<technicalNoreq xmlns="{NOREQ}"/>'
    body = whole("", case + '<customContent xmlns="urn:emergency:eda:1.9"/>')
    assert "use_case" in [rule for _, rule in rules(body)]


def test_no_value_is_in_a_fault() -> None:
    body = bare('<integerField a="secret">secret</integerField>secret')
    faults = xml_faults(body)
    assert len(faults) == 3 and "secret" not in repr(faults)


def test_faults_without_number_are_counted_not_listed() -> None:
    faults = xml_faults(bare("<x/>" * 20_000))
    assert len(faults) < 600 and faults[-1].rule == "more"


@given(st.lists(st.sampled_from([" ", "\r\n", "\r", "\n", "\t", "x", "&#13;", "&#32;", "&lt;", " " * 300]), max_size=8))
def test_no_blank_of_a_text_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    told = text.replace("\r\n", "\n").replace("\r", "\n")
    for reference, character in (("&#13;", "\r"), ("&#32;", " "), ("&lt;", "<")):
        told = told.replace(reference, character)
    body = bare(f"\r\n  <optionalStringField>{text}</optionalStringField>\r\n\t")
    assert read(body) == {"optionalStringField": told}


def test_attributes_cost_no_more_than_their_number() -> None:
    attributes = " ".join(f'a{i}="1"' for i in range(30_000))
    body = bare("").replace(b" xmlns", f" {attributes} xmlns".encode())
    begun = time.process_time()
    faults = xml_faults(body)
    assert time.process_time() - begun < 1.5, "30 ms where it is linear, some seconds where it is quadratic"
    assert faults[-1].rule == "more"
