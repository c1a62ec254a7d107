"""What the accept path is measured against: a JSON reader, then a general validator over the same schemas.

They check what the accept path checks, as one schema, and are spared what costs them most: they know the use case, so
that no `oneOf` over all use cases is tried.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import jsonschema_rs
import orjson

from validators.manifest import Manifest, UseCase
from validators.published import SUFFIX

Schema = dict[str, Any]
Check = Callable[[bytes], object]


def rivals(pack: Path, manifest: Manifest, case: UseCase) -> dict[str, Check]:
    """By name, each a function of the raw content that raises when it is refused."""
    schema = content_schema(pack, manifest, case)
    fast = fastjsonschema.compile(schema, use_default=False, detailed_exceptions=False)
    rust = jsonschema_rs.validator_for(schema, validate_formats=True).validate
    return {
        "orjson + fastjsonschema": lambda content: fast(orjson.loads(content)),
        "orjson + jsonschema-rs": lambda content: rust(orjson.loads(content)),
    }


def content_schema(pack: Path, manifest: Manifest, case: UseCase) -> Schema:
    """One schema of the envelope's content whose messages are of this use case."""
    envelope, header, model = (_read(pack, entry.file) for entry in (manifest.envelope, manifest.header, case))
    envelope["definitions"]["Message"] = {
        "type": "object",
        "required": [case.root],
        "properties": {case.root: {"$ref": f"#/definitions/{case.file}"}},
        "allOf": [{"$ref": f"#/definitions/{manifest.header.file}"}] if case.header else [{}],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {manifest.envelope.file: envelope, manifest.header.file: header, case.file: model},
        **envelope["properties"]["content"],
    }


def message_schema(pack: Path, manifest: Manifest, case: UseCase) -> Schema:
    """One schema of whole messages, envelope included, of this use case."""
    schema = content_schema(pack, manifest, case)
    definitions = schema["definitions"]
    return {
        "$schema": schema["$schema"],
        "definitions": definitions,
        "$ref": f"#/definitions/{manifest.envelope.file}",
    }


def _read(pack: Path, file: str) -> Schema:
    """A schema with its code lists inside, to be one of the definitions of another."""
    schema: Schema = _within(json.loads((pack / file).read_bytes()), file, pack)
    return {name: value for name, value in schema.items() if name not in ("$id", "$schema")}


def _within(value: Any, file: str, pack: Path) -> Any:
    if isinstance(value, list):
        return [_within(item, file, pack) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return {name: _within(inner, file, pack) for name, inner in value.items()}
    if reference.startswith("#/"):
        return {"$ref": f"#/definitions/{file}/{reference.removeprefix('#/')}"}
    codes: Schema = {} if reference.endswith(SUFFIX) else json.loads((pack / reference).read_bytes())
    return {name: codes[name] for name in ("type", "enum") if name in codes}
