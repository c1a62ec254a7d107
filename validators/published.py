"""The form in which the national models are published: which use cases an envelope has, and a model's schema with its
code lists taken out into files of their own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from validators.dialect import DEFINITION
from validators.loading import CODES_FOLDER

SUFFIX: Final = ".schema.json"
DRAFT: Final = "http://json-schema.org/draft-07/schema#"
MAX_NESTING: Final = 20
"""How deep the envelope's `oneOf` and `allOf` are followed: a definition may lead to itself."""

_LEFT_OUT: Final = frozenset(("$schema", "$id", "$comment", "default", "example", "examples", "version"))
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")

Schema = dict[str, Any]


class Branch(NamedTuple):
    """One use case of an envelope: its root element, its file, and the header's file when it has the header."""

    root: str
    file: str
    header: str | None


def file_of(model: str) -> str:
    """The file of a model."""
    return model + SUFFIX


def model_of(file: str) -> str:
    """The model of a file."""
    return file.removesuffix(SUFFIX)


def embedded_of(envelope: Schema) -> str | None:
    """The definition that `content[].jsonContent.embeddedJsonContent` leads to; None where it leads nowhere."""
    place: Any = envelope
    for name in ("content", "jsonContent", "embeddedJsonContent"):
        inner = _field(place, name)
        reference = inner.get("$ref") if isinstance(inner, dict) else None
        place = _resolved(inner, envelope)
        if isinstance(place, dict) and "items" in place:
            place = _resolved(place["items"], envelope)
    return reference.removeprefix(DEFINITION) if isinstance(reference, str) and isinstance(place, dict) else None


def branches_of(envelope: Schema) -> list[Branch]:
    """The use cases of an envelope, in its order; none when it is no envelope."""
    name = embedded_of(envelope)
    return [] if name is None else list(_branches({"$ref": DEFINITION + name}, None, envelope, MAX_NESTING))


def _branches(schema: Any, header: str | None, envelope: Schema, depth: int) -> Iterator[Branch]:
    place = _resolved(schema, envelope)
    if not isinstance(place, dict) or depth == 0:
        return
    header = next((file for part in _parts(place, "allOf") if (file := _header(part))), header)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for part in _parts(place, keyword):
            yield from _branches(part, header, envelope, depth - 1)
    properties = place.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        file = _other_file(inner)
        if file is None and name == "message":
            yield from _branches(inner, header, envelope, depth - 1)
        elif file is not None and name in _parts(place, "required"):
            yield Branch(name, file, header)


def _header(part: Any) -> str | None:
    """The header's file, where a part of an `allOf` is the message or is about it."""
    return _other_file(part) or _other_file(_field(part, "message"))


def _parts(schema: Schema, keyword: str) -> list[Any]:
    found = schema.get(keyword)
    return found if isinstance(found, list) else []


def _field(schema: Any, name: str) -> Any:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties.get(name) if isinstance(properties, dict) else None


def _other_file(schema: Any) -> str | None:
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or reference.startswith("#"):
        return None
    return reference.removeprefix("./").removesuffix("#")


def _resolved(schema: Any, envelope: Schema) -> Any:
    """What a chain of `$ref` into the envelope's definitions leads to."""
    definitions = envelope.get("definitions")
    for _ in range(MAX_NESTING):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith(DEFINITION):
            break
        name = reference.removeprefix(DEFINITION)
        schema = definitions.get(name) if isinstance(definitions, dict) else None
    return schema


class CodeLists:
    """The code lists of models as they are taken out. `files`: each list's schema by its path in the pack."""

    def __init__(self) -> None:
        self.files: dict[str, Schema] = {}
        self._same: dict[bytes, str] = {}

    def model(self, model: str, published: Mapping[str, Any]) -> Schema:
        """A model's schema as a pack has it: without the annotations that only its publisher reads."""
        made: Schema = {"$schema": DRAFT, "$id": file_of(model), **self._kept(published)}
        self._convert_fields(made, f"{model}.root", file_of(model))
        definitions = made.pop("definitions", None)
        if not isinstance(definitions, dict):
            return made if definitions is None else {**made, "definitions": definitions}
        converted = {name: self._converted(it, f"{model}.{name}", file_of(model)) for name, it in definitions.items()}
        return {**made, "definitions": converted} if converted else made

    def _kept(self, schema: Mapping[str, Any]) -> Schema:
        return {
            keyword: value
            for keyword, value in schema.items()
            if not (keyword in _LEFT_OUT or keyword.startswith("x-") or (keyword == "required" and value == []))
        }

    def _converted(self, schema: Any, place: str, file: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return {"$ref": reference.removeprefix(file)}
        made = self._kept(schema)
        codes = made.get("enum")
        if made.get("type") == "string" and isinstance(codes, list):
            return {"$ref": self._list(made, place)}
        if "items" in made:
            made["items"] = self._converted(made["items"], place, file)
        self._convert_fields(made, place, file)
        return made

    def _convert_fields(self, made: Schema, place: str, file: str) -> None:
        fields = made.get("properties")
        if isinstance(fields, dict):
            made["properties"] = {name: self._converted(it, f"{place}.{name}", file) for name, it in fields.items()}

    def _list(self, schema: Schema, place: str) -> str:
        """The file of a list; one file for lists that are the same in every word."""
        same = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
        if same not in self._same:
            path = f"{CODES_FOLDER}/{_UNSAFE.sub('_', place)}.json"
            while path in self.files:
                path = f"{path.removesuffix('.json')}_.json"
            self._same[same] = path
            self.files[path] = {"$schema": DRAFT, "$id": path, **schema}
        return self._same[same]
