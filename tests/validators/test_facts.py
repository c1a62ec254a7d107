"""The pack against the tables of facts, and against the published samples, where they are at hand."""

import csv
from functools import cache
from typing import Any

import pytest

from tests.validators.support import (
    PACK_FOLDER,
    REFERENCE,
    accept,
    content_bytes,
    dumped,
    envelope_of,
    pack,
    read,
    wrapped,
)
from validators import Pack, load_pack
from validators.nodes import Array, Boolean, Node, Number, Object, Text

MODELS = REFERENCE / "models"
SAMPLES = REFERENCE / "samples"
PACKS = ("v1", "v2", "v3")
BASES = {
    "v1": ("urn:emergency:cisu:2.0", ()),
    "v2": ("urn:emergency:cisu:2.0", ()),
    "v3": ("urn:emergency:eda:1.9", ("urn:emergency:cisu:3.0",)),
}
"""Base namespace and aliases, from PROTOCOL.md."""
SHEETS = {
    "RC-EDA": ("RC-EDA", "RS-EDA", "RS-EDA-MAJ"),
    "RS-RI": ("RS-RI", "RC-RI"),
    "RS-BPV": ("RS-BPV", "RS-RPIS", "RPIS"),
}
"""The models that a sheet of field_nomenclatures.csv describes, where it is not the one of its name."""
RENAMED = {
    "CISU-Code_Nature_de_fait": "HubSante.fait",
    "CISU-Code_Type_de_lieu": "HubSante.lieu",
    "CISU-Code_Motif_patient-victime": "HubSante.motif",
    "CISU-Code_Risque-Menace-Sensibilité": "HubSante.risque",
}
"""Lists of v2 under their names in v3, where no row tells which fields draw on them: those of v2 do."""
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason="the reference facts are not beside this checkout")


@cache
def loaded(pack_name: str) -> Pack:
    return load_pack(PACK_FOLDER.parent / pack_name)


def rows(pack_name: str, table: str) -> list[dict[str, str]]:
    with (MODELS / pack_name / table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def roots(pack_name: str) -> dict[str, Object]:
    checks = loaded(pack_name)._checks
    found = {model.name: model.node for _, model in checks._use_cases.values()}
    return {**found, "EDXL-DE-envelope-only": checks._envelope.node, "RC-DE": checks._header.node}


def classes_of(node: Node, found: dict[str, Object]) -> dict[str, Object]:
    if isinstance(node, Array):
        classes_of(node.items, found)
    elif isinstance(node, Object) and node.name not in found:
        found[node.name] = node
        for inner in node.fields.values():
            classes_of(inner, found)
    return found


def described(node: Node, required: bool) -> tuple[Any, ...]:
    repeats, low, high = isinstance(node, Array), "", ""
    if isinstance(node, Array):
        low, high = str(node.min_items or ""), str(node.max_items or "")
        node = node.items
    pattern = form = listed = ""
    match node:
        case Object(name):
            kind = f"class:{name}"
        case Text():
            kind, pattern, form = "string", node.pattern or "", "date-time" if node.date_time else ""
            listed = ",".join(node.codes or ())
        case Number(integer):
            kind = "integer" if integer else "number"
        case Boolean():
            kind = "boolean"
        case _:
            raise AssertionError(node)
    return ("yes" if required else "no", "yes" if repeats else "no", low, high, kind, pattern, form, listed)


@pytest.mark.parametrize("name", PACKS)
def test_every_field_is_as_in_the_tables(name: str) -> None:
    codes: dict[str, tuple[str, ...]] = {}
    for row in rows(name, "codes.csv"):
        codes[row["list"]] = (*codes.get(row["list"], ()), row["code"])
    expected: dict[tuple[str, str], list[Any]] = {}
    for row in rows(name, "fields.csv"):
        facts = [row[k] for k in ("required", "repeats", "min_items", "max_items", "type", "pattern", "format")]
        listed = ",".join(codes[row["codes"]]) if row["codes"] else ""
        expected.setdefault((row["model"], row["class"]), []).append((row["field"], (*facts, listed)))
    models = roots(name)
    classes = {(model, "(root)"): node for model, node in models.items()}
    for model, root in models.items():
        classes |= {(model, inner.name): inner for inner in classes_of(root, {}).values() if inner is not root}
    table = rows(name, "classes.csv")
    assert classes.keys() - {("EDXL-DE-envelope-only", "Message")} == {(row["model"], row["class"]) for row in table}
    for row in table:
        model, inside = row["model"], row["class"]
        node = classes[model, inside]
        assert node.closed is (row["unknown_fields"] == "closed"), (model, inside)
        if inside == "EmbeddedJsonContent":
            continue  # open; `message` is ours to check
        found = [(field, described(inner, field in node.required)) for field, inner in node.fields.items()]
        wanted = expected.get((model, inside), [])
        if model.startswith("EDXL"):  # its order is the protocol's, for XML
            found.sort()
            wanted.sort()
        assert found == wanted, (model, inside)


@pytest.mark.parametrize("name", PACKS)
def test_the_envelope_has_the_order_of_the_protocol(name: str) -> None:
    envelope = roots(name)["EDXL-DE-envelope-only"]
    assert " ".join(envelope.fields) == (
        "distributionID senderID dateTimeSent dateTimeExpires distributionStatus distributionKind descriptor content"
    )
    assert " ".join(classes_of(envelope, {})["Descriptor"].fields) == "language explicitAddress"


@pytest.mark.parametrize("name", PACKS)
def test_use_cases_are_as_in_the_table(name: str) -> None:
    manifest = loaded(name).manifest
    base, aliases = BASES[name]
    assert (manifest.pack, manifest.base_namespace, manifest.namespace_aliases) == (name, base, aliases)
    assert (manifest.header.model, manifest.header.root, manifest.header.namespace) == (
        "RC-DE",
        "distributionElement",
        base,
    )
    assert (manifest.envelope.root, manifest.envelope.namespace) == (
        "edxlDistribution",
        "urn:oasis:names:tc:emergency:EDXL:DE:2.0",
    )
    found = [(case.model, case.root, "yes" if case.header else "no", case.namespace) for case in manifest.use_cases]
    table = rows(name, "use_cases.csv")
    # Free content has no namespace of its own in v1 and v2: it is in the message's.
    wanted = [(row["model"], row["root_element"], row["rc_de_header"], row["xml_namespace"] or base) for row in table]
    assert found == wanted


def lists(pack_name: str) -> dict[str, list[tuple[str, str]]]:
    """The nomenclatures of the table by name, without the version that v1 and v2 append to it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows(pack_name, "nomenclatures.csv"):
        found.setdefault(row["nomenclature"].rpartition("-v24")[0] or row["nomenclature"], []).append(
            (row["code"], row["label"])
        )
    return found


@pytest.mark.parametrize("name", PACKS)
def test_nomenclatures_are_as_in_the_table(name: str) -> None:
    versions = {"v1": "24.08.20", "v2": "24.10.16", "v3": ""}
    found = {}
    for path in (PACK_FOLDER.parent / name / "nomenclatures").iterdir():
        content = read(path)
        assert content.get("version", "") == versions[name]
        found[content["nomenclature"]] = [(code["code"], code["label"]) for code in content["codes"]]
    assert found == lists(name)


def field_at(root: Object, path: str) -> Text | None:
    """The text at a path of field_nomenclatures.csv; of a class with code and label, the code."""
    node: Node = root
    for step in path.split("/"):
        inner = node.fields.get(step) if isinstance(node, Object) else None
        if inner is None:
            return None
        node = inner.items if isinstance(inner, Array) else inner
    if isinstance(node, Object):
        node = node.fields["code"]
    assert isinstance(node, Text)
    return node


def drawn(pack_name: str) -> list[tuple[str, str, str]]:
    """Sheet, path and list of each row of field_nomenclatures.csv; v3's completed as `RENAMED` says."""
    tables = rows(pack_name, "field_nomenclatures.csv")
    if pack_name == "v3":
        tables += [row for row in rows("v2", "field_nomenclatures.csv") if row["nomenclature"] in RENAMED]
    renamed = RENAMED if pack_name == "v3" else {}
    return [(row["sheet"], row["path"], renamed.get(row["nomenclature"], row["nomenclature"])) for row in tables]


@pytest.mark.parametrize(("name", "rows_without_field_or_list"), [("v1", 23), ("v2", 23), ("v3", 15)])
def test_fields_draw_on_the_nomenclatures_of_the_table(name: str, rows_without_field_or_list: int) -> None:
    models, known = roots(name), lists(name)
    linked, nowhere = set(), set()
    for sheet, path, listed in drawn(name):
        found = [field_at(models[model], path) for model in SHEETS.get(sheet, (sheet,)) if model in models]
        texts = [text for text in found if text is not None and listed in known]
        assert {text.nomenclature for text in texts} <= {listed}, (sheet, path)
        linked |= {id(text) for text in texts}
        if not texts:
            nowhere.add((sheet, path))
    assert len(nowhere) == rows_without_field_or_list
    for model, root in models.items():
        for place in classes_of(root, {}).values():
            for field, inner in place.fields.items():
                node = inner.items if isinstance(inner, Array) else inner
                drawing = isinstance(node, Text) and node.nomenclature is not None
                assert not drawing or id(node) in linked, (model, place.name, field)


def test_the_lists_that_changed_their_names_are_the_same() -> None:
    for old, new in RENAMED.items():
        codes = {code for code, _ in lists("v3")[new]}
        if old in lists("v2"):
            assert codes == {code for code, _ in lists("v2")[old]}
        else:  # v2 has it as an enumeration only
            risk = field_at(roots("v2")["RC-EDA"], "qualification/riskThreat/code")
            assert risk is not None and codes == set(risk.codes or ())


WITH_WARNINGS = {
    "RC-EDA-DouleurThoracique-PierreLegrand": 1,
    "RS-EDA-SMUR_DouleurThoracique_PierreLegrand.01": 1,
    "RS-RPIS_ArretCardiaque_CISUV2.01": 3,
    "RS-RPIS_TraumatismeCrane_CISUV2.02": 3,
}
"""Published samples with codes that their nomenclature does not have."""


def test_published_samples_are_accepted_and_their_codes_known() -> None:
    """They are of v3, all of them."""
    warned = {}
    paths = sorted(path for kind in ("examples", "valid") for path in SAMPLES.glob(f"{kind}/*/*.json"))
    for path in paths:
        body = read(path)
        root, inside = ("technical", body) if path.parent.name == "TECHNICAL" else next(iter(body.items()))
        whole = body if "content" in body else wrapped(root, inside)
        assert pack().check_message(dumped(whole)) == (), path.name
        if path.parent.name not in ("RS-ERROR", "CustomContent"):  # they carry an open class
            assert accept(content_bytes(whole)) is not None, path.name
        if found := pack().warnings(content_bytes(whole)):
            warned[path.stem] = len(found)
    assert warned == WITH_WARNINGS and len(paths) > 60


EXPECTED = {
    "error-in-RC-DE": 1,
    "error-in-envelope-and-RC-DE": 3,
    "error-in-envelope-and-content": 3,
    "multiple-errors-in-RC-DE": 3,
    "multiple-errors-in-envelope": 6,
    "too-many-schemas": 1,
    "too-many-schemas-and-errors-in-content": 2,
    "unknown-property-at-root": 1,
    "doesnt-pass-regex-validation": 4,
    "expected-object": 2,
    "expected-smaller-array": 1,
    "wrong-type": 6,
}


def test_published_failing_samples_are_refused_with_every_fault() -> None:
    found = {}
    for path in sorted(SAMPLES.glob("failing/*/*.json")):
        body = read(path)
        whole = body if "content" in body else envelope_of({"technicalNoreq": body})
        found[path.stem] = len(pack().check_message(dumped(whole)))
    assert found == EXPECTED
