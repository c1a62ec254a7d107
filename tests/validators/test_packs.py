import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.validators.support import PACK_FOLDER, content_bytes, own_message, pack
from validators import ContentFaults, PackError, load_pack

FOLDERS = [PACK_FOLDER.parent / name for name in ("v1", "v2", "v3")]


@pytest.mark.parametrize(
    ("name", "version", "use_cases"), [("v1", "2.0+24.08.20", 16), ("v2", "2.0+24.10.16", 21), ("v3", "1.9", 23)]
)
def test_packs_load_fast_and_name_their_use_cases(name: str, version: str, use_cases: int) -> None:
    begun = time.process_time()
    loaded = load_pack(PACK_FOLDER.parent / name)
    assert time.process_time() - begun < 1
    assert (loaded.name, loaded.version) == (name, version)
    assert len(loaded.manifest.use_cases) == use_cases


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_envelope_schema_and_the_manifest_say_the_same(folder: Path) -> None:
    manifest = load_pack(folder).manifest
    message = json.loads((folder / manifest.envelope.file).read_text())["definitions"]["Message"]
    one_root, branches = message["allOf"]
    assert one_root == {"oneOf": [{"required": [case.root]} for case in manifest.use_cases]}
    expected: list[Any] = []
    for case in manifest.use_cases:
        leaf = {"type": "object", "required": [case.root], "properties": {case.root: {"$ref": case.file}}}
        expected.append({"allOf": [{"$ref": manifest.header.file}, leaf]} if case.header else leaf)
    assert branches == {"oneOf": expected}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_schema_and_code_list_is_used(folder: Path) -> None:
    manifest = load_pack(folder).manifest
    used = {"manifest.json", *(case.file for case in manifest.use_cases)}
    used |= {manifest.envelope.file, manifest.header.file}
    texts = [path.read_text() for path in folder.glob("*.json")]
    for path in [*folder.glob("*.json"), *folder.glob("codes/*.json")]:
        name = path.relative_to(folder).as_posix()
        assert name in used or any(f'"$ref": "{name}"' in text for text in texts), name
        if name != "manifest.json":
            assert json.loads(path.read_text())["$id"] == name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_code_lists_are_in_files_of_their_own(folder: Path) -> None:
    assert not [path.name for path in folder.glob("*.schema.json") if '"enum"' in path.read_text()]


def test_fields_keep_the_order_of_the_schema() -> None:
    assert list(pack()._checks._header.node.fields) == ["messageId", "sender", "sentAt", "kind", "status", "recipient"]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACK_FOLDER, tmp_path / "v3"))


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def faults(folder: Path) -> tuple[str, ...]:
    with pytest.raises(PackError) as broken:
        load_pack(folder)
    assert all(fault in str(broken.value) for fault in broken.value.faults)
    return broken.value.faults


def test_a_broken_pack_is_refused_whole_and_every_fault_named(copied: Path) -> None:
    (copied / "RC-REF.schema.json").unlink()
    (copied / "RS-SR.schema.json").write_text("{")
    (copied / "GEO-REQ.schema.json").write_text("[]")
    edit(copied / "RC-EDA.schema.json", lambda s: s["properties"]["caseId"].update(pattern="(?=a)", minLength=1))
    edit(copied / "RC-EDA.schema.json", lambda s: s["properties"]["location"].update({"$ref": "#/definitions/Nowhere"}))
    edit(copied / "RS-DR.schema.json", lambda s: s["required"].append("phantom"))
    edit(copied / "RS-RR.schema.json", lambda s: s["properties"]["caseId"].update(format="uuid"))
    edit(copied / "RS-ER.schema.json", lambda s: s.update(additionalProperties={"type": "string"}))
    edit(copied / "RS-RI.schema.json", lambda s: s["properties"]["caseId"].update(type=["string", "null"]))
    edit(copied / "RS-URL.schema.json", lambda s: s["properties"].update(code={"$ref": "codes/none.json"}))
    edit(copied / "codes/RC-DE.root.status.json", lambda s: s.update(enum=[1]))
    edit(copied / "codes/RC-REF.root.step.json", lambda s: s.pop("enum"))
    (copied / "codes/RS-DR.root.status.json").write_text("{")
    edit(copied / "RC-RI.schema.json", lambda s: s["properties"]["caseId"].update({"x-nomenclature": "None"}))
    edit(
        copied / "RC-RI.schema.json", lambda s: s["properties"]["resource"].update({"x-nomenclature": "HubSante.fait"})
    )
    (copied / "nomenclatures/HubSante.lieu.json").write_text("{")
    edit(copied / "nomenclatures/HubSante.role.json", lambda n: n.update(codes=[]))
    edit(copied / "nomenclatures/HubSante.sexe.json", lambda n: n.update(nomenclature="HubSante.fait"))
    edit(copied / "nomenclatures/HubSante.motif.json", lambda n: n["codes"][3].pop("label"))
    found = faults(copied)
    for part in (
        "RC-REF.schema.json: No such file",
        "RS-SR.schema.json: ",
        "GEO-REQ.schema.json: a schema is due",
        "RC-EDA.schema.json#/caseId: pattern not understood",
        "RC-EDA.schema.json#/caseId: keyword 'minLength'",
        "RC-EDA.schema.json#/location: $ref to an unknown definition: 'Nowhere'",
        "RS-DR.schema.json#: 'phantom' is required",
        "RS-RR.schema.json#/caseId: format 'uuid'",
        "RS-ER.schema.json#: additionalProperties",
        "RS-RI.schema.json#/caseId: type must be one of",
        "RS-URL.schema.json#/code: $ref leads nowhere",
        "codes/RC-DE.root.status.json#: enum must list strings",
        "codes/RC-REF.root.step.json#: a code list is a string with an enum",
        "codes/RS-DR.root.status.json: ",
        "RC-RI.schema.json#/caseId: x-nomenclature leads nowhere: 'None'",
        "RC-RI.schema.json#/resource: keyword 'x-nomenclature' is not supported here",
        "nomenclatures/HubSante.lieu.json: ",
        "nomenclatures/HubSante.role.json: the list of the file's name is due",
        "nomenclatures/HubSante.sexe.json: the list of the file's name is due",
        "nomenclatures/HubSante.motif.json: Object missing required field `label`",
    ):
        assert any(fault.startswith(part) for fault in found), (part, found)


def test_faults_of_the_manifest(copied: Path) -> None:
    manifest = copied / "manifest.json"
    edit(manifest, lambda m: m["use_cases"].append(m["use_cases"][0]))
    assert faults(copied) == ("manifest.json: two use cases have the same root element",)
    edit(manifest, lambda m: m.update(surprise=1, version="", header=[], namespace_aliases=[1]))
    edit(manifest, lambda m: m.pop("pack"))
    edit(manifest, lambda m: m["use_cases"][1].update(root=None, header="no"))
    assert faults(copied) == (
        "manifest.json: $: 'pack' is missing",
        "manifest.json: $: 'surprise' is unknown",
        "manifest.json: $.version: is empty",
        "manifest.json: $.namespace_aliases: Expected `str`, got `int` - at `$[0]`",
        "manifest.json: $.header: an object is due",
        "manifest.json: $.use_cases[1].root: Expected `str`, got `null`",
        "manifest.json: $.use_cases[1].header: Expected `bool`, got `str`",
    )
    manifest.write_text("[]")
    assert faults(copied) == ("manifest.json: $: an object is due",)
    manifest.write_text("{")
    assert faults(copied)[0].startswith("manifest.json: ")
    manifest.unlink()
    assert faults(copied) == ("manifest.json: No such file or directory",)


def test_a_pack_without_use_cases_is_none(copied: Path) -> None:
    edit(copied / "manifest.json", lambda m: m.update(use_cases=[]))
    assert faults(copied) == ("manifest.json: $.use_cases: is empty",)


def test_a_loaded_pack_needs_its_files_no_more(copied: Path) -> None:
    loaded = load_pack(copied)
    shutil.rmtree(copied)
    loaded.compile()
    assert loaded.check(content_bytes(own_message())) == ("RC-EDA",)


def test_the_way_to_the_message_must_be_there(copied: Path) -> None:
    envelope = copied / "EDXL-DE.schema.json"
    whole = envelope.read_text()
    for change, told in (
        (lambda s: s["required"].remove("content"), "'content' must be there and required"),
        (lambda s: s["definitions"]["JsonContent"].pop("required"), "'embeddedJsonContent' must be there and required"),
        (lambda s: s["definitions"]["ContentObject"].pop("properties"), "'jsonContent' is required and not described"),
        (
            lambda s: s["definitions"]["EmbeddedJsonContent"]["properties"].update(message={"type": "object"}),
            "'message' must be the definition 'Message'",
        ),
    ):
        envelope.write_text(whole)
        edit(envelope, change)
        assert any(told in fault for fault in faults(copied)), told


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value: its container and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


JUNK: tuple[Any, ...] = (
    None,
    7,
    -1,
    "",
    "#/definitions/detailedAddress",
    [],
    [3],
    {},
    {"type": "string"},
    {"$ref": 1},
    True,
)


def test_whatever_is_wrong_a_pack_loads_or_is_refused_with_its_faults(copied: Path) -> None:
    """No other error: a hub that reloads must be able to keep the pack it has."""
    chance = random.Random(3)
    refused = 0
    files = [
        copied / name for name in ("manifest.json", "EDXL-DE.schema.json", "RC-DE.schema.json", "RS-SR.schema.json")
    ]
    files += [
        copied / name
        for name in ("RS-BPV.schema.json", "codes/RC-REF.root.step.json", "nomenclatures/HubSante.etat.json")
    ]
    for path in files:
        whole = path.read_text()
        for _ in range(12):
            value = json.loads(whole)
            container, key = chance.choice(places(value))
            container[key] = chance.choice(JUNK)
            path.write_text(json.dumps(value))
            try:
                load_pack(copied).check(content_bytes(own_message()))
            except PackError as broken:
                refused += bool(broken.faults)
            except ContentFaults:
                pass
        path.write_text(whole)
    assert 30 < refused < 84
