"""The reference: the jsonschema library over the pack's files, with our date-time as its format check and patterns read
by hand-written code that shares nothing with ours."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.validators.support import PACK_FOLDER
from validators import is_date_time

_WORD = re.compile(r"[A-Za-z0-9_-]+\Z")


def _is_id(text: str, low: int, high: int) -> bool:
    """`^([a-zA-Z0-9_-]+\\.?){low,high}$` without its backtracking."""
    words = text[:-1].split(".") if text.endswith(".") else text.split(".")
    return all(_WORD.match(word) for word in words) and len(words) <= high and sum(map(len, words)) >= low


def ecma_search(pattern: str, text: str) -> bool:
    bounds = re.fullmatch(r"\^\(\[a-zA-Z0-9_-\]\+\\\.\?\)\{(\d+),(\d+)\}\$", pattern)
    if bounds is not None:
        return _is_id(text, int(bounds[1]), int(bounds[2]))
    translated = re.sub(r"(\[[^\]]*)\\d", r"\g<1>0-9", pattern).replace(r"\d", "[0-9]").replace("$", r"\Z")
    return re.search(translated, text) is not None


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    if isinstance(instance, str) and not ecma_search(pattern, instance):
        yield ValidationError("pattern")


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or is_date_time(value)


@cache
def reference(pack: str = "v3", file: str = "EDXL-DE.schema.json") -> Any:
    """The validator of a whole message, or of one model by its file; `.is_valid(value)`."""
    registry: Registry[Any] = Registry()
    folder = PACK_FOLDER.with_name(pack)
    for path in folder.rglob("*.json"):
        if path.name != "manifest.json" and path.parent.name != "nomenclatures":
            name = path.relative_to(folder).as_posix()
            contents = json.loads(path.read_text("utf-8"))
            del contents["$schema"]  # with it, the library would go back to its own reading of patterns
            resource = Resource(contents=contents, specification=DRAFT7)
            registry = registry.with_resource(name, resource)
    formats = FormatChecker(formats=())
    formats.checkers = {"date-time": (_is_date_time, ())}
    validator = extend(Draft7Validator, {"pattern": _pattern})
    return validator({"$ref": file}, registry=registry, format_checker=formats)
