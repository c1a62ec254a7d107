"""The published samples: JSON and XML of the same stem are the same message. Skipped where they are not at hand."""

from pathlib import Path

import orjson
import pytest
from lxml import etree

from tests.validators.support import REFERENCE, message_of, pack
from tests.validators.xml.support import canonical, is_whole, xml_faults

SAMPLES = REFERENCE / "samples"
PAIRS = [path for path in sorted(SAMPLES.rglob("*.xml")) if "failing" not in path.parts]
ALIAS = b"urn:emergency:cisu:3.0"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/reference is not there")


def _told(path: Path) -> bytes:
    """The JSON of the stem. The whole message's goes the other way round: from A to B, and with an id of its own."""
    text = path.with_suffix(".json").read_bytes()
    if b'"senderID"' not in text or b'"sourceMessage"' in text:
        return text
    text = text.replace(b"samuA", b"samu?").replace(b"samuB", b"samuA").replace(b"samu?", b"samuB")
    value = orjson.loads(text)
    message_of(value)["messageId"] = "messageId"
    return orjson.dumps(value)


def test_there_are_samples_of_both_shapes() -> None:
    assert len(PAIRS) > 50
    assert {is_whole(path.read_bytes()) for path in PAIRS} == {True, False}


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_xml_reads_as_the_json_of_its_stem(path: Path) -> None:
    body = path.read_bytes()
    assert xml_faults(body) == ()
    reading = pack().xml.read_message(body) if is_whole(body) else pack().xml.read_case(body)
    told = orjson.loads(_told(path))
    found = orjson.loads(reading.json)
    if not is_whole(body) and found.keys() != told.keys():  # a body without its root
        (found,) = found.values()
    assert found == told
    assert [warning.rule for warning in reading.warnings] == ["namespace_alias"] * body.count(ALIAS)


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_json_is_written_as_the_xml_of_its_stem(path: Path) -> None:
    body = path.read_bytes()
    told = _told(path)
    if is_whole(body):
        written = pack().xml.write_message(told)
        # An earlier namespace is read and never written; `content` carries its xlink:type (PROTOCOL.md, formats).
        body = body.replace(b'createCase xmlns="' + ALIAS, b'createCase xmlns="urn:emergency:eda:1.9:createCase')
        body = body.replace(ALIAS, b"urn:emergency:eda:1.9").replace(b"<content>", b'<content xlink:type="resource">')
    else:
        root = etree.QName(etree.fromstring(body)).localname
        rooted = told if orjson.loads(told).keys() == {root} else b'{"%s":%s}' % (root.encode(), told)
        written = pack().xml.write_case(rooted)
    assert canonical(written) == canonical(body)


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        (
            "expected-object",
            {
                ("objectField", "type"),
                ("objectField[0].property", "unknown"),
                ("objectField[1].property", "unknown"),
                ("objectLevel1", "type"),
            },
        ),
        ("expected-smaller-array", {("arrayWithMaxLength", "max_items")}),
        (
            "wrong-type",
            {
                ("integerField", "type"),
                ("numberField", "type"),
                ("booleanField", "type"),
                ("dateField", "pattern"),
                ("datetimeField", "pattern"),
            },
        ),
        (
            "doesnt-pass-regex-validation",
            {
                ("phoneNumberField", "pattern"),
                ("dateField", "pattern"),
                ("emailField", "pattern"),
                ("datetimeField", "pattern"),
            },
        ),
    ],
)
def test_every_fault_of_the_failing_samples_is_named(name: str, faults: set[tuple[str, str]]) -> None:
    found = xml_faults((SAMPLES / "failing" / "TECHNICAL_NOREQ" / f"{name}.xml").read_bytes())
    assert {(fault.path.removeprefix("$.technicalNoreq."), fault.rule) for fault in found} == faults
    assert len(found) == len(faults)
