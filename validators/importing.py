"""From the form in which the national models are published to a model pack.

That form: a folder with one JSON Schema a model, code lists within; an envelope whose `embeddedJsonContent` is a
`oneOf` over `<root>: {$ref: <file>}`, with the header's file beside it (`allOf`) where the use case has the header.
The header alone may be a use case too, in the base namespace: where the `oneOf` has it, the pack has it.
Namespaces are not part of it: they are made as in a pack at hand. Neither are nomenclatures.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from validators.dialect import DEFINITION
from validators.manifest import MANIFEST, Manifest
from validators.published import Branch, CodeLists, Schema, branches_of, embedded_of, file_of, model_of

ENVELOPES: Final = ("EDXL-DE-full", "EDXL-DE")
"""Which model is the envelope when several could be, best first."""
ENVELOPE_MODEL: Final = "EDXL-DE"

_ENVELOPE_ORDER: Final = (
    "distributionID", "senderID", "dateTimeSent", "dateTimeExpires", "distributionStatus", "distributionKind",
    "descriptor", "content", "language", "explicitAddress", "explicitAddressScheme", "explicitAddressValue",
)  # fmt: skip
"""The envelope's order in XML; the published JSON Schema has another."""


class ImportFaults(Exception):
    """Models that make no pack; `faults` says everything that was found wrong, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def import_models(files: Mapping[str, bytes], name: str, pattern: Manifest, base_namespace: str) -> dict[str, Schema]:
    """The files of the pack `name`, by their path in its folder. `files`: the published ones by name.

    `pattern`: the pack whose namespaces those of the same root elements are made like, below `base_namespace`; another
    root element's is its name. Raises ImportFaults; what the dialect does not take is for `load_pack` to find.
    """
    return _Import(files, name, pattern, base_namespace).made()


class _Import:
    def __init__(self, files: Mapping[str, bytes], name: str, pattern: Manifest, base_namespace: str) -> None:
        self._name, self._pattern, self._base = name, pattern, base_namespace
        self._faults: list[str] = []
        self._schemas = {file: schema for file in sorted(files) if (schema := self._read(file, files[file]))}
        self._codes = CodeLists()

    def made(self) -> dict[str, Schema]:
        envelope = self._envelope()
        branches = branches_of(self._schemas[envelope]) if envelope else []
        header = self._header(branches)
        wanted = {branch.file for branch in branches} | {branch.header for branch in branches if branch.header}
        self._faults += [f"{file}: {envelope} needs it" for file in sorted(wanted - self._schemas.keys())]
        roots = [branch.root for branch in branches]
        self._faults += [f"{envelope}: {root!r} twice" for root in sorted({r for r in roots if roots.count(r) > 1})]
        if self._faults:
            raise ImportFaults(self._faults)
        made = {file_of(ENVELOPE_MODEL): self._made_envelope(self._schemas[envelope], header, branches)}
        for file in dict.fromkeys((header, *(case.file for case in branches))):
            made[file] = self._codes.model(model_of(file), self._schemas[file])
        root = next((branch.root for branch in branches if branch.file == header), self._pattern.header.root)
        manifest = self._manifest(root, header, branches)
        return {**made, **self._codes.files, MANIFEST: manifest}

    def _read(self, file: str, text: bytes) -> Schema:
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            self._faults.append(f"{file}: {error}")
            return {}
        if not isinstance(found, dict):
            self._faults.append(f"{file}: a schema is due")
            return {}
        return found

    def _envelope(self) -> str:
        found = [file for file, schema in self._schemas.items() if branches_of(schema)]
        best = [file_of(name) for name in ENVELOPES if file_of(name) in found]
        if best or len(found) == 1:
            return (best or found)[0]
        told = f"could be it: {', '.join(found)}" if found else "no file leads from `content` to use cases"
        self._faults.append(f"no envelope: {told}")
        return ""

    def _header(self, branches: list[Branch]) -> str:
        found = sorted({branch.header for branch in branches if branch.header})
        if len(found) == 1:
            return found[0]
        if branches:
            self._faults.append(f"one header is due, found: {', '.join(found) or 'none'}")
        return ""

    def _made_envelope(self, published: Schema, header: str, cases: list[Branch]) -> Schema:
        """The envelope with its use cases in the form of our packs: exactly one root element, and its branch."""
        made = self._codes.model(ENVELOPE_MODEL, {**published, "type": "object"})
        definitions = made["definitions"]
        for place in (made, *definitions.values()):
            fields = place.get("properties") if isinstance(place, dict) else None
            if isinstance(fields, dict):
                place["properties"] = dict(sorted(fields.items(), key=_in_order))
        embedded = definitions[embedded_of(published) or ""]
        for keyword in ("oneOf", "anyOf", "allOf"):
            embedded.pop(keyword, None)
        embedded["required"] = ["message"]
        embedded["properties"] = {"message": {"$ref": f"{DEFINITION}Message"}}
        branches: list[Schema] = []
        for case in cases:
            leaf = {"type": "object", "required": [case.root], "properties": {case.root: {"$ref": case.file}}}
            branches.append({"allOf": [{"$ref": header}, leaf]} if case.header else leaf)
        one = [{"required": [case.root]} for case in cases]
        definitions["Message"] = {"type": "object", "allOf": [{"oneOf": one}, {"oneOf": branches}]}
        return made

    def _manifest(self, header_root: str, header: str, cases: list[Branch]) -> Schema:
        pattern, same = self._pattern, self._pattern.base_namespace == self._base
        below = {
            case.root: case.namespace.removeprefix(pattern.base_namespace)
            for case in pattern.use_cases
            if case.namespace.startswith(pattern.base_namespace)
        }
        below[header_root] = ""
        versions = [str(schema["version"]) for schema in self._schemas.values() if "version" in schema]
        return {
            "pack": self._name,
            "version": max(versions, default=self._base.rpartition(":")[2]),
            "base_namespace": self._base,
            "namespace_aliases": list(pattern.namespace_aliases) if same else [],
            "envelope": _entry(ENVELOPE_MODEL, pattern.envelope.root, pattern.envelope.namespace),
            "header": _entry(model_of(header), header_root, self._base),
            "use_cases": [
                _entry(model_of(case.file), case.root, self._base + below.get(case.root, f":{case.root}"))
                | {"header": case.header is not None}
                for case in cases
            ],
        }


def _entry(model: str, root: str, namespace: str) -> Schema:
    return {"model": model, "file": file_of(model), "root": root, "namespace": namespace}


def _in_order(field: tuple[str, Any]) -> int:
    return _ENVELOPE_ORDER.index(field[0]) if field[0] in _ENVELOPE_ORDER else len(_ENVELOPE_ORDER)
