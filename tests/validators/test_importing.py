"""Published models make a pack that is the same in every fact."""

import json
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.validators.published_form import published
from tests.validators.support import (
    PACK_FOLDER,
    REFERENCE,
    content_bytes,
    dumped,
    own_bodies,
    own_message,
    read,
    wrapped,
)
from validators import ContentFaults, Pack, load_pack
from validators.importing import ImportFaults, import_models
from validators.manifest import Manifest, read_manifest
from validators.nodes import Array, Node, Object, Text

SCHEMAS = PACK_FOLDER.parent
PACKS = ("v1", "v2", "v3")


def manifest_of(name: str) -> Manifest:
    return read_manifest((SCHEMAS / name / "manifest.json").read_bytes())


def written(files: dict[str, Any], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, ensure_ascii=False))
    return folder


def imported(files: dict[str, Any], like: str = "v3", base: str | None = None) -> dict[str, Any]:
    pattern = manifest_of(like)
    texts = {name: dumped(content) for name, content in files.items()}
    return import_models(texts, "next", pattern, base or pattern.base_namespace)


def facts(node: Node, seen: tuple[int, ...] = ()) -> Any:
    """Everything that a model says, as plain data; nomenclatures are not published with the schemas."""
    if id(node) in seen:
        return "again"
    match node:
        case Object():
            fields = [(name, facts(inner, (*seen, id(node)))) for name, inner in node.fields.items()]
            return ("root" if not seen else node.name, fields, sorted(node.required), node.closed)
        case Array():
            return ("array", facts(node.items, seen), node.min_items, node.max_items)
        case Text():
            return ("text", node.codes, node.pattern, node.date_time)
    return repr(node)


def models(pack: Pack) -> dict[str, Node]:
    checks = pack._checks
    found: dict[str, Node] = {root: model.node for root, (_, model) in checks._use_cases.items()}
    return {**found, "header": checks._header.node, "envelope": checks._envelope.node}


@pytest.mark.parametrize("name", PACKS)
def test_a_published_pack_comes_back_equal_in_every_fact(name: str, tmp_path: Path) -> None:
    ours = load_pack(SCHEMAS / name)
    theirs = load_pack(written(imported(published(SCHEMAS / name), name), tmp_path / "next"))
    assert theirs.manifest == Manifest(
        pack="next",
        version=ours.version,
        base_namespace=ours.manifest.base_namespace,
        namespace_aliases=ours.manifest.namespace_aliases,
        envelope=ours.manifest.envelope,
        header=ours.manifest.header,
        use_cases=ours.manifest.use_cases,
    )
    before, after = models(ours), models(theirs)
    assert list(before) == list(after)
    for root in before:
        assert facts(before[root]) == facts(after[root]), root


def test_an_imported_pack_judges_as_ours(tmp_path: Path) -> None:
    ours = load_pack(PACK_FOLDER)
    theirs = load_pack(written(imported(published(PACK_FOLDER)), tmp_path / "next"))
    bodies = [own_message(), *(wrapped(root, body) for root, body in own_bodies().items())]
    bodies += [{**own_message(), "surprise": 1}, {**own_message(), "distributionKind": "None"}, wrapped("nothing", {})]
    bodies += [read(path) for path in sorted(REFERENCE.glob("samples/failing/EDXL-DE/*.json"))]
    for path in sorted(REFERENCE.glob("samples/examples/*/*.json")):
        body = read(path)
        bodies.append(body if "content" in body else wrapped(*next(iter(body.items()))))
    for body in bodies:
        assert theirs.check_message(dumped(body)) == ours.check_message(dumped(body))
    assert theirs.check(content_bytes(own_message())) == ("RC-EDA",)
    with pytest.raises(ContentFaults):
        theirs.check(content_bytes(wrapped("nothing", {})))


def test_code_lists_are_taken_out_once_and_publishers_annotations_left_out() -> None:
    made = imported(published(PACK_FOLDER))
    listed = {name: content for name, content in made.items() if name.startswith("codes/")}
    bodies = [json.dumps({**content, "$id": ""}) for content in listed.values()]
    assert listed and len(bodies) == len(set(bodies))
    for name, content in made.items():
        text = json.dumps(content)
        assert not any(word in text for word in ('"x-', '"example"', "classpath")), name
        assert name.startswith("codes/") or '"enum"' not in text, name


def test_other_shapes_of_the_envelope_say_the_same() -> None:
    """`./RC-DE.schema.json#`, the header and the case in one `allOf`, cases below a second `oneOf`."""
    plain = published(PACK_FOLDER)
    other = json.loads(json.dumps(plain))
    embedded = other["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]
    branches = [branch for branch in embedded.pop("oneOf") if "allOf" in branch]
    bare = [
        branch
        for branch in plain["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]["oneOf"]
        if "allOf" not in branch
    ]
    cases = [branch["allOf"][1]["properties"]["message"] for branch in branches]
    for case in cases:
        for field in case["properties"].values():
            field["$ref"] += "#"
    header = {"$ref": "./RC-DE.schema.json#"}
    embedded["properties"] = {
        "message": {
            "oneOf": [
                *({"allOf": [header, case]} for case in cases[:5]),
                {"allOf": [header, {"oneOf": cases[5:]}]},
                *(branch["properties"]["message"] for branch in bare),
            ]
        }
    }
    made, wanted = imported(other), imported(plain)
    for manifest in (made["manifest.json"], wanted["manifest.json"]):
        manifest["use_cases"].sort(key=itemgetter("root"))
    assert made["manifest.json"] == wanted["manifest.json"]


def test_namespaces_are_made_as_in_the_pack_at_hand() -> None:
    files = published(PACK_FOLDER)
    envelope = files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]
    text = json.dumps(envelope).replace('"createCase"', '"brandNew"')
    files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"] = json.loads(text)
    manifest = imported(files, base="urn:next:2.0")["manifest.json"]
    assert (manifest["base_namespace"], manifest["namespace_aliases"]) == ("urn:next:2.0", [])
    assert manifest["header"]["namespace"] == "urn:next:2.0"
    namespaces = {case["root"]: case["namespace"] for case in manifest["use_cases"]}
    assert namespaces["resourcesInfo"] == "urn:next:2.0:resourcesinfo"
    assert namespaces["customContent"] == "urn:next:2.0"
    assert namespaces["brandNew"] == "urn:next:2.0:brandNew"


def test_the_header_alone_is_a_use_case_where_the_envelope_has_it() -> None:
    files = published(PACK_FOLDER)
    alone = {
        "model": "RC-DE",
        "file": "RC-DE.schema.json",
        "root": "distributionElement",
        "header": False,
        "namespace": "urn:next:2.0",
    }
    # v2 has no such use case to take the namespace from.
    manifest = imported(files, like="v2", base="urn:next:2.0")["manifest.json"]
    assert manifest["use_cases"][2] == alone
    assert manifest["header"] == {name: told for name, told in alone.items() if name != "header"}
    embedded = files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]
    del embedded["oneOf"][2]
    without = imported(files, base="urn:next:2.0")["manifest.json"]
    assert without["header"] == manifest["header"]
    assert len(without["use_cases"]) == len(manifest["use_cases"]) - 1
    assert "RC-DE" not in [case["model"] for case in without["use_cases"]]


def test_the_version_is_the_models_latest_else_that_of_the_namespace() -> None:
    files = published(PACK_FOLDER)
    for content in files.values():
        content.pop("version", None)
    assert imported(files)["manifest.json"]["version"] == "1.9"
    files["RC-EDA.schema.json"]["version"] = "25.11.26"
    files["RC-DE.schema.json"]["version"] = "24.12.17"
    assert imported(files)["manifest.json"]["version"] == "25.11.26"


def refused(files: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ImportFaults) as broken:
        imported(files)
    return broken.value.faults


def test_every_fault_is_named_at_once() -> None:
    files = published(PACK_FOLDER)
    del files["RC-REF.schema.json"], files["RC-DE.schema.json"]
    files["RS-SR.schema.json"] = 5
    branches = files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]["oneOf"]
    branches.append(branches[-1])
    assert refused(files) == (
        "RS-SR.schema.json: a schema is due",
        "RC-DE.schema.json: EDXL-DE-full.schema.json needs it",
        "RC-REF.schema.json: EDXL-DE-full.schema.json needs it",
        "RS-SR.schema.json: EDXL-DE-full.schema.json needs it",
        "EDXL-DE-full.schema.json: 'error' twice",
    )


def without_envelope(files: dict[str, Any]) -> None:
    del files["EDXL-DE-full.schema.json"]


def two_envelopes(files: dict[str, Any]) -> None:
    files["A.schema.json"] = files["B.schema.json"] = files.pop("EDXL-DE-full.schema.json")


def without_header(files: dict[str, Any]) -> None:
    embedded = files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"]
    embedded["oneOf"] = [branch for branch in embedded["oneOf"] if "allOf" not in branch]


def endless(files: dict[str, Any]) -> None:
    files["EDXL-DE-full.schema.json"]["definitions"]["EmbeddedJsonContent"] = {
        "$ref": "#/definitions/EmbeddedJsonContent"
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_envelope, "no envelope: no file leads from `content` to use cases"),
        (endless, "no envelope: no file leads from `content` to use cases"),
        (two_envelopes, "no envelope: could be it: A.schema.json, B.schema.json"),
        (without_header, "one header is due, found: none"),
    ],
)
def test_what_is_no_envelope_is_told(change: Callable[[dict[str, Any]], None], told: str) -> None:
    files = published(PACK_FOLDER)
    change(files)
    assert refused(files) == (told,)


def test_an_envelope_of_another_name_is_found_and_the_best_of_several_taken() -> None:
    files = published(PACK_FOLDER)
    whole = imported(files)
    files["EDXL-DE-full-with-GEO.schema.json"] = files["EDXL-DE-full.schema.json"]
    assert imported(files) == whole
    del files["EDXL-DE-full.schema.json"]
    assert imported(files) == whole


def test_names_of_code_lists_stay_in_their_folder() -> None:
    files = published(PACK_FOLDER)
    files["RC-REF.schema.json"]["properties"]["../../x/y"] = {"type": "string", "enum": ["A"]}
    files["RC-REF.schema.json"]["properties"][".._.._x_y"] = {"type": "string", "enum": ["B"]}
    listed = [name for name in imported(files) if "x_y" in name]
    assert listed == ["codes/RC-REF.root..._.._x_y.json", "codes/RC-REF.root..._.._x_y_.json"]
