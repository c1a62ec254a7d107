"""The manifest of a model pack: what it holds. Read strictly, every fault named at once."""

from typing import Any, Final

import msgspec

MANIFEST: Final = "manifest.json"


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The envelope or the header: its schema file, its root element, its XML namespace."""

    model: str
    file: str
    root: str
    namespace: str


class UseCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One use case; `header`: whether its messages carry the header's fields."""

    model: str
    file: str
    root: str
    header: bool
    namespace: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pack holds. `namespace_aliases`: earlier base namespaces that are read and never written."""

    pack: str
    version: str
    base_namespace: str
    namespace_aliases: tuple[str, ...]
    envelope: ModelEntry
    header: ModelEntry
    use_cases: tuple[UseCase, ...]


class ManifestError(Exception):
    """A manifest that cannot be used; `faults` says everything that is wrong with it, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def read_manifest(text: bytes) -> Manifest:
    """The manifest of a JSON text. Raises ManifestError."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise ManifestError([f"{MANIFEST}: {error}"]) from None
    faults: list[str] = []
    _check(value, Manifest, "$", faults)
    if not faults:
        manifest = msgspec.convert(value, Manifest)
        faults = _contradictions(manifest)
        if not faults:
            return manifest
    raise ManifestError([f"{MANIFEST}: {fault}" for fault in faults])


def _check(value: Any, struct: type[msgspec.Struct], path: str, faults: list[str]) -> None:
    """The faults of one object, each field by itself: the decoder would stop at the first."""
    if not isinstance(value, dict):
        faults.append(f"{path}: an object is due")
        return
    known = {field.name: field.type for field in msgspec.structs.fields(struct)}
    faults += [f"{path}: {name!r} is missing" for name in known if name not in value]
    faults += [f"{path}: {name!r} is unknown" for name in value if name not in known]
    for name, kind in known.items():
        if name not in value:
            continue
        if kind is ModelEntry:
            _check(value[name], ModelEntry, f"{path}.{name}", faults)
        elif name == "use_cases" and isinstance(value[name], list):
            for index, case in enumerate(value[name]):
                _check(case, UseCase, f"{path}.{name}[{index}]", faults)
        else:
            _check_plain(value[name], kind, f"{path}.{name}", faults)


def _check_plain(value: Any, kind: Any, path: str, faults: list[str]) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        faults.append(f"{path}: {error}")
    else:
        if value == "":
            faults.append(f"{path}: is empty")


def _contradictions(manifest: Manifest) -> list[str]:
    roots = [case.root for case in manifest.use_cases]
    faults = [] if roots else ["$.use_cases: is empty"]
    if len(set(roots)) < len(roots):
        faults.append("two use cases have the same root element")
    return faults
