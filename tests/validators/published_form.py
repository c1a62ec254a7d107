"""A pack of ours in the form in which the national models are published, to import it again."""

import json
from pathlib import Path
from typing import Any

from validators.loading import CODES_FOLDER
from validators.manifest import Manifest, ModelEntry, UseCase, read_manifest

CLASSPATH = "classpath:/json-schema/schema#"
PUBLISHED_ORDER = (
    "senderID", "distributionID", "dateTimeSent", "dateTimeExpires", "content", "descriptor", "distributionKind",
    "distributionStatus", "explicitAddress", "language", "explicitAddressScheme", "explicitAddressValue",
)  # fmt: skip


def published(pack: Path) -> dict[str, Any]:
    """Each file of the published form by name: lists within the models, the envelope's use cases as a `oneOf`."""
    manifest = read_manifest((pack / "manifest.json").read_bytes())
    lists = {
        f"{CODES_FOLDER}/{path.name}": json.loads(path.read_text()) for path in pack.glob(f"{CODES_FOLDER}/*.json")
    }
    files: dict[str, Any] = {}
    entries: list[ModelEntry | UseCase] = [manifest.header, *manifest.use_cases]
    for entry in entries:
        model = json.loads((pack / entry.file).read_text())
        files[entry.file] = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$id": CLASSPATH,
            "x-id": f"{entry.file}#",
            "version": manifest.version,
            "example": "example.json#",
            **_with_lists(model, lists),
        }
    files["EDXL-DE-full.schema.json"] = _envelope(
        json.loads((pack / manifest.envelope.file).read_text()), lists, manifest
    )
    return files


def _with_lists(schema: Any, lists: dict[str, Any]) -> Any:
    """Every list in its place, and the annotations that only a publisher needs."""
    if isinstance(schema, list):
        return [_with_lists(item, lists) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") in lists:
        schema = lists[schema["$ref"]]
    made = {key: _with_lists(value, lists) for key, value in schema.items() if key not in ("$id", "$schema")}
    if isinstance(made.get("type"), str):
        made |= {"x-health-only": False, "x-cols": 6, "example": "example.json#/somewhere"}
        if made["type"] == "object":
            made = {"required": [], "properties": {}, **made}
    return made


def _envelope(ours: dict[str, Any], lists: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    made = _with_lists(ours, lists)
    definitions = made["definitions"]
    definitions["DistributionKind"] = made["properties"].pop("distributionKind")
    made["properties"]["distributionKind"] = {"$ref": "#/definitions/DistributionKind"}
    definitions["Content"] = made["properties"].pop("content")
    made["properties"]["content"] = {"$ref": "#/definitions/Content"}
    for place in (made, *definitions.values()):
        if fields := place.get("properties"):
            place["properties"] = {name: fields[name] for name in sorted(fields, key=_published_place)}
    del definitions["Message"], made["type"]
    branches = [_branch(case.root, case.file, case.header, manifest.header.file) for case in manifest.use_cases]
    definitions["EmbeddedJsonContent"] = {"type": "object", "oneOf": branches}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "$id": CLASSPATH, **made}


def _published_place(name: str) -> int:
    return PUBLISHED_ORDER.index(name) if name in PUBLISHED_ORDER else len(PUBLISHED_ORDER)


def _branch(root: str, file: str, headed: bool, header: str) -> dict[str, Any]:
    case = {"properties": {"message": {"properties": {root: {"$ref": file}}, "required": [root]}}}
    return {"allOf": [{"properties": {"message": {"$ref": header}}}, case]} if headed else case
