"""Each entry of validators/SEMANTICS.md: the reference's verdict, and ours."""

import json

import pytest

from tests.validators.reference import reference
from tests.validators.support import PACK_FOLDER, accept, dumped, envelope_of, header, own_bodies, pack
from validators import ContentFaults

TAKEN = ""


def whole(message: str, encoding: str = "utf-8") -> bytes:
    """A message whose `message` object is this JSON text; `HEADER` stands for the header's fields."""
    text = message.replace("HEADER", json.dumps(header())[1:-1])
    return dumped(envelope_of("@")).decode().replace('"@"', text).encode(encoding)


def noreq(fields: str) -> bytes:
    return whole(f'{{"technicalNoreq": {{{fields}}}}}')


DEEP = "[" * 1_100 + "]" * 1_100
REFERENCE_BODY = json.dumps(own_bodies()["reference"])

# entry, body, whether the reference takes it, our rule
ENTRIES = [
    (1, whole('{"customContent": {"x": NaN}}'), True, "json"),
    (1, whole('{"customContent": {"x": -Infinity}}'), True, "json"),
    (2, whole('{"customContent": {"x": 1e999}}'), True, "json"),
    (3, noreq(r'"optionalStringField": "\ud800"'), True, "json"),
    (4, b"\xef\xbb\xbf" + noreq(""), True, "json"),
    (5, whole(f'{{"customContent": {{"x": {DEEP}}}}}'), False, "json"),
    (6, whole('{"technicalNoreq": {}}', "utf-16"), True, "utf8"),
    (7, whole('{"technicalNoreq": {}, "reference": {}}'), False, "use_case"),
    (7, whole(f'{{HEADER, "technicalNoreq": {{}}, "reference": {REFERENCE_BODY}}}'), False, "use_case"),
    (8, noreq('"integerField": "x", "integerField": 1'), True, TAKEN),
    (8, noreq('"integerField": 1, "integerField": "x"'), False, "type"),
    (9, noreq('"integerField": 1.0'), True, TAKEN),
    (9, noreq('"integerField": 1e2'), True, TAKEN),
    (9, noreq('"integerField": 1.5'), False, "type"),
    (10, noreq('"integerField": 18446744073709551616'), True, TAKEN),
    (11, noreq('"datetimeField": "2016-12-31T23:59:60+00:00"'), False, "format"),
    (11, noreq('"datetimeField": "0000-01-01T00:00:00+00:00"'), False, "format"),
    (11, noreq('"datetimeField": "2024-01-01T24:00:00+00:00"'), False, "format"),
    (12, noreq(r'"phoneNumberField": "0600\n"'), False, "pattern"),
    (13, whole('{"technicalNoreq": {}, "beside": [{}]}'), True, TAKEN),
    (14, whole('{"technicalNoreq": {}, "messageId": 1, "sender": null}'), True, TAKEN),
]


def reference_takes(body: bytes) -> bool:
    try:
        return bool(reference().is_valid(json.loads(body)))
    except RecursionError:
        return False


@pytest.mark.parametrize(("entry", "body", "taken", "rule"), ENTRIES)
def test_entry(entry: int, body: bytes, taken: bool, rule: str) -> None:
    assert reference_takes(body) is taken
    faults = pack().check_message(body)
    assert {fault.rule for fault in faults} >= ({rule} if rule else set())
    assert (faults == ()) is (rule == TAKEN)


def test_entry_7_is_stricter_than_the_published_form() -> None:
    """Our envelope schema without its first `oneOf` is the published one: it takes the message."""
    schema = json.loads((PACK_FOLDER / "EDXL-DE.schema.json").read_text())
    published = schema["definitions"]["Message"]["allOf"][1]
    message = {"technicalNoreq": {}, "reference": {}}
    ours = reference()
    resolver = ours.evolve(schema={**published, "$id": "EDXL-DE.schema.json"})
    assert resolver.is_valid(message)


def test_every_entry_of_the_table_has_its_case() -> None:
    text = (PACK_FOLDER.parents[1] / "validators" / "SEMANTICS.md").read_text("utf-8")
    text = text.partition("## XML")[0]  # its entries: tests/validators/xml/test_semantics.py
    numbers = {int(line.split("|")[1]) for line in text.splitlines() if line.startswith("| ") and "#" not in line[:4]}
    assert numbers == {entry for entry, *_ in ENTRIES}


def test_the_accept_path_is_stricter_where_the_table_says() -> None:
    for body in (noreq('"integerField": 1.0'), noreq('"datetimeField": "2024-02-29T00:00:00+01:00"')):
        content = json.dumps(json.loads(body)["content"]).encode()
        assert accept(content) is None
        try:
            assert pack().check(content) == ("TECHNICAL_NOREQ",)
        except ContentFaults as refused:
            raise AssertionError(refused.faults) from None
