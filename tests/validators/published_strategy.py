"""Values as a JSON Schema file suggests them: its leaves by hypothesis-jsonschema, objects and lists around them by
hypothesis itself (the library's own objects do not work with this hypothesis)."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from tests.validators.generate import DATES
from tests.validators.support import PACK_FOLDER


def strategy_of(pack: str, file: str) -> st.SearchStrategy[Any]:
    """Mostly valid values of a model."""
    folder = PACK_FOLDER.with_name(pack)
    schema = json.loads((folder / file).read_text("utf-8"))
    definitions = schema.get("definitions", {})

    def made(part: dict[str, Any]) -> st.SearchStrategy[Any]:
        reference = part.get("$ref", "")
        if reference.startswith("#"):
            return made(definitions[reference.rpartition("/")[2]])
        if reference:
            return st.sampled_from(json.loads((folder / reference).read_text("utf-8"))["enum"])
        if part.get("type") == "object":
            fields = {name: made(inner) for name, inner in part.get("properties", {}).items()}
            required = {name: fields.pop(name) for name in part.get("required", ())}
            return st.fixed_dictionaries(required, optional=fields)
        if part.get("type") == "array":
            low = part.get("minItems", 0)
            return st.lists(made(part["items"]), min_size=low, max_size=min(part.get("maxItems", low + 2), low + 2))
        if part.get("format") == "date-time":  # hardly any date-time that it draws fits the pattern
            return st.sampled_from(DATES) | from_schema({"type": "string", "format": "date-time"})
        return from_schema({name: part[name] for name in ("type", "enum", "pattern") if name in part})

    return made(schema)
