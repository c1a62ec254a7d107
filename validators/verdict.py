"""The verdict of the slow path: one fastjsonschema function a model, made from its JSON Schema at its first use, or
from code that was kept (`compiled`).

Patterns and date-times are handed to our own functions (`linear`, `dates`) as formats, so that this path, the fault
collection and the reference of the tests mean the same by them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import CodeType
from typing import Any, Final

from fastjsonschema import JsonSchemaValueException

from validators.compiled import CodeStore, Formats, code_of, function_of, keep, kept
from validators.dates import is_date_time
from validators.dialect import DEFINITION, Schema, matcher

ANY_OBJECT: Final[Schema] = {"type": "object"}


class Verdict:
    """Whether a parsed value is valid against one model. Compiles when first asked, then remembers."""

    def __init__(self, schema: Schema, codes: Mapping[str, Schema], opaque: frozenset[str] = frozenset()) -> None:
        self._schema = schema
        self._codes = codes
        self._opaque = opaque
        self._formats: Formats = {}
        self._function: Callable[[Any], Any] | None = None

    def __call__(self, value: Any) -> bool:
        """The verdict; raises nothing but RecursionError (a value nested too deep for the model's own depth)."""
        function = self._function or self.use(self.code())
        try:
            function(value)
        except JsonSchemaValueException:
            return False
        return True

    @cached_property
    def translated(self) -> dict[str, Any]:
        """The schema as the compiler takes it, one text with its code lists."""
        schema = self._translated(self._schema, self._formats)
        schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        schema.pop("$id", None)
        return schema

    def code(self) -> CodeType:
        """Compile."""
        return code_of(self.translated, self._formats)

    def use(self, code: CodeType) -> Callable[[Any], Any]:
        """Judge by this code, which is that of `translated`."""
        self._function = function_of(code, self._formats)
        return self._function

    def _translated(self, schema: Schema, formats: Formats) -> dict[str, Any]:
        reference = schema.get("$ref")
        if reference is not None:
            inside = reference.startswith(DEFINITION)
            return dict(schema) if inside else self._translated(self._codes[reference], formats)
        out = {key: value for key, value in schema.items() if key not in ("title", "description")}
        for keyword in ("properties", "definitions"):
            if keyword in out:
                out[keyword] = {name: self._translated(inner, formats) for name, inner in out[keyword].items()}
        for name in self._opaque & out.get("definitions", {}).keys():
            out["definitions"][name] = dict(ANY_OBJECT)
        if "items" in out:
            out["items"] = self._translated(out["items"], formats)
        if "pattern" in out or "format" in out:
            out["format"] = _format_name(out.pop("pattern", None), "format" in out, formats)
        return out


def _format_name(pattern: str | None, date_time: bool, formats: Formats) -> str:
    """A format of ours for a pattern, a date-time or both."""
    if pattern is None:
        formats["date-time"] = is_date_time
        return "date-time"
    search = matcher(pattern).search
    name = f"pattern-{len(formats)}"
    formats[name] = (lambda text: search(text) and is_date_time(text)) if date_time else search
    return name


def compile_all(verdicts: Sequence[Verdict], store: CodeStore) -> None:
    """Make every function, of the code that `store` has or else anew, which it is then given to keep."""
    schemas = [verdict.translated for verdict in verdicts]
    codes = kept(schemas, store)
    if codes is None:
        codes = [verdict.code() for verdict in verdicts]
        keep(schemas, codes, store)
    for verdict, code in zip(verdicts, codes, strict=True):
        verdict.use(code)
