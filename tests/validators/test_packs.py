import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.validators.support import PACK_FOLDER, content_bytes, own_message, pack
from validators import PackError, load_pack


def test_v3_loads_fast_and_names_its_use_cases() -> None:
    begun = time.process_time()
    loaded = load_pack(PACK_FOLDER)
    assert time.process_time() - begun < 1
    assert (loaded.name, loaded.version) == ("v3", "1.9")
    assert len(loaded.manifest.use_cases) == 22


def test_the_envelope_schema_and_the_manifest_say_the_same() -> None:
    manifest = pack().manifest
    message = json.loads((PACK_FOLDER / manifest.envelope.file).read_text())["definitions"]["Message"]
    one_root, branches = message["allOf"]
    assert one_root == {"oneOf": [{"required": [case.root]} for case in manifest.use_cases]}
    expected: list[Any] = []
    for case in manifest.use_cases:
        leaf = {"type": "object", "required": [case.root], "properties": {case.root: {"$ref": case.file}}}
        expected.append({"allOf": [{"$ref": manifest.header.file}, leaf]} if case.header else leaf)
    assert branches == {"oneOf": expected}


def test_every_file_of_the_pack_is_used() -> None:
    used = {"manifest.json", *(case.file for case in pack().manifest.use_cases)}
    used |= {pack().manifest.envelope.file, pack().manifest.header.file}
    texts = [path.read_text() for path in PACK_FOLDER.glob("*.json")]
    for path in PACK_FOLDER.rglob("*.json"):
        name = path.relative_to(PACK_FOLDER).as_posix()
        assert name in used or any(f'"$ref": "{name}"' in text for text in texts), name
        if name != "manifest.json":
            assert json.loads(path.read_text())["$id"] == name


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
    edit(copied / "codes/RC-REF.root.step.json", lambda s: s.update(enum=[1]))
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
    ):
        assert any(fault.startswith(part) for fault in found), (part, found)


def test_faults_of_the_manifest(copied: Path) -> None:
    manifest = copied / "manifest.json"
    edit(manifest, lambda m: m["use_cases"].append(m["use_cases"][0]))
    assert faults(copied) == ("manifest.json: two use cases have the same root element",)
    edit(manifest, lambda m: m.update(surprise=1))
    assert "surprise" in faults(copied)[0]
    manifest.write_text("{")
    assert faults(copied)[0].startswith("manifest.json: ")
    manifest.unlink()
    assert faults(copied) == ("manifest.json: No such file or directory",)


def test_a_loaded_pack_needs_its_files_no_more(copied: Path) -> None:
    loaded = load_pack(copied)
    shutil.rmtree(copied)
    loaded.compile()
    assert loaded.check(content_bytes(own_message())) == ("RC-EDA",)
