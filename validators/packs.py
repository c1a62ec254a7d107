"""A model pack: a folder of JSON Schemas and its manifest, loaded into the checks of one vhost.

Accept fast, refuse precisely: the Structs accept (`structs`); what they do not accept is parsed and judged by
fastjsonschema, whose verdict stands, and what that refuses is walked to list every fault (`checks`).
"""

from pathlib import Path
from typing import Final

import msgspec
import orjson

from validators.checks import Checks, Model
from validators.dialect import Schema, SchemaReader
from validators.faults import Fault
from validators.nodes import Object
from validators.structs import Acceptor
from validators.verdict import Verdict

MANIFEST: Final = "manifest.json"
CODES_FOLDER: Final = "codes"
OPAQUE: Final = frozenset(("Message",))
"""The envelope's definition whose inside is the use cases' own: it is checked by root element, not by trying all."""


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


class PackError(Exception):
    """A pack that cannot be used; `faults` says everything that is wrong with it, one line each."""

    def __init__(self, folder: Path, faults: list[str]) -> None:
        super().__init__(f"model pack {folder}: " + "; ".join(faults))
        self.faults = tuple(faults)


class Pack:
    """The checks of one model pack. Nothing but `ContentFaults` is raised, whatever the bytes."""

    def __init__(self, manifest: Manifest, acceptor: Acceptor, checks: Checks) -> None:
        self.manifest = manifest
        self.name = manifest.pack
        self.version = manifest.version
        self._accept = acceptor.accept
        self._checks = checks

    def check(self, content: bytes | msgspec.Raw) -> tuple[str, ...]:
        """The use-case model of each content element ("RC-EDA", …) of a valid content.

        `content` is the raw JSON of the envelope's `content` field. Raises ContentFaults with every fault otherwise.
        """
        return self._accept(content) or self._checks.content(content)

    def check_envelope(self, body: bytes) -> tuple[Fault, ...]:
        """The faults of a whole message's envelope, the content's elements not looked into; () when there are none."""
        return self._checks.envelope(body)

    def check_message(self, body: bytes) -> tuple[Fault, ...]:
        """All faults of a whole message, the envelope's first; () when there are none."""
        return self._checks.message(body)

    def compile(self) -> None:
        """Make the slow path's functions now rather than at the first refusal of each model."""
        self._checks.compile()


def load_pack(folder: Path) -> Pack:
    """The pack of a folder; PackError naming every fault when it is not whole."""
    return _Loader(folder).load()


class _Loader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faults: list[str] = []

    def load(self) -> Pack:
        manifest = self._manifest()
        codes = {
            f"{CODES_FOLDER}/{path.name}": self._schema(f"{CODES_FOLDER}/{path.name}")
            for path in sorted((self._folder / CODES_FOLDER).glob("*.json"))
        }
        shell = self._schema(manifest.envelope.file)
        envelope = self._model(manifest.envelope, shell, codes, OPAQUE)
        content = self._model(manifest.envelope, _content_only(shell), codes, OPAQUE)
        header = self._model(manifest.header, self._schema(manifest.header.file), codes)
        use_cases = {
            case.root: (case.header, self._model(case, self._schema(case.file), codes)) for case in manifest.use_cases
        }
        if len(use_cases) < len(manifest.use_cases):
            self._faults.append(f"{MANIFEST}: two use cases have the same root element")
        if self._faults:
            raise PackError(self._folder, list(dict.fromkeys(self._faults)))
        roots = {root: (model.name, headed, model.node) for root, (headed, model) in use_cases.items()}
        return Pack(manifest, Acceptor(header.node, roots), Checks(envelope, content, header, use_cases))

    def _manifest(self) -> Manifest:
        try:
            return msgspec.json.decode((self._folder / MANIFEST).read_bytes(), type=Manifest)
        except OSError as error:
            raise PackError(self._folder, [f"{MANIFEST}: {error.strerror}"]) from None
        except (msgspec.DecodeError, ValueError) as error:
            raise PackError(self._folder, [f"{MANIFEST}: {error}"]) from None

    def _model(
        self,
        entry: ModelEntry | UseCase,
        schema: Schema,
        codes: dict[str, Schema],
        opaque: frozenset[str] = frozenset(),
    ) -> Model:
        node = Object(entry.model)
        if schema:
            reader = SchemaReader(entry.file, schema, codes, opaque)
            node = reader.root()
            self._faults += reader.faults
        return Model(entry.model, node, Verdict(schema, codes, opaque))

    def _schema(self, file: str) -> Schema:
        try:
            found = orjson.loads((self._folder / file).read_bytes())
        except OSError as error:
            self._faults.append(f"{file}: {error.strerror}")
        except orjson.JSONDecodeError as error:
            self._faults.append(f"{file}: {error}")
        else:
            if isinstance(found, dict):
                return found
            self._faults.append(f"{file}: a schema is due")
        return {}


def _content_only(envelope: Schema) -> Schema:
    """The envelope's schema without the fields beside `content`."""
    if "content" not in envelope.get("properties", {}):
        return {}
    return {**envelope, "required": ["content"], "properties": {"content": envelope["properties"]["content"]}}
