"""A code outside its nomenclature, where the schema lets it pass, is a warning: a path and a list, never the code."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.validators.support import case_of, content_bytes, envelope_of, header, own_message, pack, wrapped
from validators import Fault, sentence
from validators.dialect import SchemaReader
from validators.faults import MAX_FAULTS
from validators.nodes import Array, Node, Object, Text
from validators.nomenclatures import MAX_WARNINGS, Watch, field_of

MESSAGE = "$.content[0].jsonContent.embeddedJsonContent.message"
LISTED = Text(nomenclature="L", nomenclature_codes=frozenset(("A", "B")))


def with_codes(**codes: str) -> Any:
    whole = own_message()
    for name, code in codes.items():
        case_of(whole)["qualification"][name] = {"code": code, "label": "x"}
    return whole


def test_a_code_outside_its_nomenclature_is_a_warning_and_no_refusal() -> None:
    unknown = content_bytes(with_codes(whatsHappen="C99.99.99", healthMotive="M99.99"))
    assert pack().check(unknown) == ("RC-EDA",)
    place = f"{MESSAGE}.createCase.qualification"
    assert pack().warnings(unknown) == (
        Fault(f"{place}.whatsHappen.code", "nomenclature", "HubSante.fait", "string"),
        Fault(f"{place}.healthMotive.code", "nomenclature", "HubSante.motif", "string"),
    )
    known = content_bytes(with_codes(whatsHappen="C02.14.02", healthMotive="M03.08"))
    assert pack().check(known) == ("RC-EDA",) and pack().warnings(known) == ()


def test_items_of_a_list_are_told_apart_and_counted_as_one_field() -> None:
    whole = own_message()
    case_of(whole)["qualification"]["riskThreat"] = [{"code": code, "label": "x"} for code in ("R01", "R98", "R99")]
    warnings = pack().warnings(content_bytes(whole))
    place = f"{MESSAGE}.createCase.qualification.riskThreat"
    assert [warning.path for warning in warnings] == [f"{place}[1].code", f"{place}[2].code"]
    assert {field_of(warning) for warning in warnings} == {"createCase.qualification.riskThreat.code"}


def test_the_body_of_one_use_case_alone() -> None:
    body = case_of(with_codes(whatsHappen="C99.99.99"))
    (warning,) = pack().warnings_of_case("createCase", body, "$.createCase")
    assert warning.path == "$.createCase.qualification.whatsHappen.code"
    assert field_of(warning) == "createCase.qualification.whatsHappen.code"


def test_every_element_of_the_content_is_looked_at() -> None:
    whole = with_codes(whatsHappen="C99.99.99")
    whole["content"] = [*wrapped("technicalNoreq", {})["content"], *whole["content"]]
    (warning,) = pack().warnings(content_bytes(whole))
    assert warning.path.startswith("$.content[1].")


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b"[1]", b"{}", content_bytes(envelope_of({**header(), "createCase": {"qualification": [7]}}))],
)
def test_what_is_no_valid_content_raises_nothing(content: bytes) -> None:
    assert pack().warnings(content) == ()


def test_a_warning_reads_as_a_sentence_without_the_code() -> None:
    (warning,) = pack().warnings(content_bytes(with_codes(whatsHappen="C99.99.99")))
    place = f"{MESSAGE}.createCase.qualification.whatsHappen.code"
    assert sentence(warning, "fr") == f"{place} : code absent de la nomenclature HubSante.fait"
    assert sentence(warning, "en") == f"{place}: code outside the nomenclature HubSante.fait"


def warnings(value: Any, node: Object) -> list[Fault]:
    found: list[Fault] = []
    Watch([node]).warnings(value, node, "$", found)
    return found


def test_classes_that_contain_themselves_and_lists_of_lists() -> None:
    tree = Object("tree", {"code": LISTED})
    tree.fields["below"] = Array(Array(tree))
    value = {"below": [[{"code": "A"}, {"code": "C", "below": [[{"code": "D"}]]}]]}
    assert [warning.path for warning in warnings(value, tree)] == [
        "$.below[0][1].code",
        "$.below[0][1].below[0][0].code",
    ]


def test_a_class_leads_to_a_code_through_another_that_is_found_later() -> None:
    low = Object("low", {"code": LISTED})
    high = Object("high", {"plain": Text(), "middle": Object("middle", {"low": low})})
    assert [warning.path for warning in warnings({"middle": {"low": {"code": "x"}}}, high)] == ["$.middle.low.code"]


def test_the_number_of_warnings_is_bounded() -> None:
    node = Object("many", {"codes": Array(LISTED)})
    assert len(warnings({"codes": ["x"] * (MAX_FAULTS * 10)}, node)) == MAX_WARNINGS


def read_text(schema: dict[str, Any]) -> Text:
    lists = {"L": frozenset(("A", "B ", "TSU"))}
    reader = SchemaReader("file", {"type": "object", "properties": {"f": {"type": "string", **schema}}}, lists)
    node: Node = reader.root().fields["f"]
    assert isinstance(node, Text) and not reader.faults
    return node


def test_no_warning_can_come_where_the_enumeration_is_within_the_list() -> None:
    assert read_text({}).nomenclature is None
    within = read_text({"enum": ["A"], "x-nomenclature": "L"})
    assert (within.nomenclature, within.nomenclature_codes) == ("L", None)
    wider = read_text({"enum": ["A", "C"], "x-nomenclature": "L"})
    assert wider.nomenclature_codes is not None and "C" not in wider.nomenclature_codes
    assert read_text({"x-nomenclature": "L"}).nomenclature_codes == frozenset(("A", "B ", "TSU"))


def test_blanks_around_an_enumerated_code_do_not_make_it_another() -> None:
    assert read_text({"enum": ["A", "TSU "], "x-nomenclature": "L"}).nomenclature_codes is None


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
def test_every_nomenclature_is_named_after_its_file_and_has_no_empty_code(name: str) -> None:
    folder = Path(__file__).parents[2] / "schemas" / name / "nomenclatures"
    for path in folder.iterdir():
        content = json.loads(path.read_text("utf-8"))
        assert content["nomenclature"] == path.stem
        assert all(code["code"].strip() for code in content["codes"]), path.name


def test_a_megabyte_of_codes_is_walked_in_bounded_time() -> None:
    whole = own_message()
    case_of(whole)["qualification"]["riskThreat"] = [{"code": "R99", "label": ""}] * 30_000
    content = orjson.dumps(whole["content"])
    assert len(content) > 750_000 and len(pack().warnings(content)) == MAX_WARNINGS
