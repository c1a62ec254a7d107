"""From a folder to a model pack: everything that is wrong with any of its files is found before it is refused."""

from pathlib import Path
from typing import Final

import msgspec
import orjson

from validators.checks import Checks, Model
from validators.dialect import Schema, SchemaReader
from validators.manifest import MANIFEST, Manifest, ManifestError, ModelEntry, UseCase, read_manifest
from validators.nodes import Array, Node, Object, Text
from validators.nomenclatures import Nomenclature
from validators.packs import Pack
from validators.structs import Acceptor
from validators.verdict import Verdict

CODES_FOLDER: Final = "codes"
NOMENCLATURES_FOLDER: Final = "nomenclatures"
OPAQUE: Final = frozenset(("Message",))
"""The envelope's definition whose inside is the use cases' own: it is checked by root element, not by trying all."""

WAY_TO_MESSAGE: Final = ("content", "jsonContent", "embeddedJsonContent", "message")


class PackError(Exception):
    """A pack that cannot be used; `faults` says everything that is wrong with it, one line each."""

    def __init__(self, folder: Path, faults: list[str]) -> None:
        super().__init__(f"model pack {folder}: " + "; ".join(faults))
        self.faults = tuple(faults)


def load_pack(folder: Path) -> Pack:
    """The pack of a folder; PackError naming every fault when it is not whole."""
    return _Loader(folder).load()


class _Loader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._faults: list[str] = []
        self._nomenclatures: dict[str, frozenset[str]] = {}
        self._codes: dict[str, Schema] = {}
        self._lists: dict[str, Text] = {}

    def load(self) -> Pack:
        manifest = self._manifest()
        self._nomenclatures = {path.stem: self._nomenclature(path) for path in self._files(NOMENCLATURES_FOLDER)}
        names = [f"{CODES_FOLDER}/{path.name}" for path in self._files(CODES_FOLDER)]
        self._codes = {name: self._schema(name) for name in names}
        self._lists = {name: self._code_list(name, schema) for name, schema in self._codes.items()}
        shell = self._schema(manifest.envelope.file)
        envelope = self._model(manifest.envelope, shell, OPAQUE)
        self._check_way(envelope.node, manifest.envelope.file)
        content = self._model(manifest.envelope, _content_only(shell), OPAQUE)
        header = self._model(manifest.header, self._schema(manifest.header.file))
        use_cases = {
            case.root: (case.header, self._model(case, self._schema(case.file))) for case in manifest.use_cases
        }
        if self._faults:
            raise PackError(self._folder, list(dict.fromkeys(self._faults)))
        roots = {root: (model.name, headed, model.node) for root, (headed, model) in use_cases.items()}
        listed, acceptor = Acceptor(header.node, roots, listed=True), Acceptor(header.node, roots)
        return Pack(manifest, listed, acceptor, Checks(envelope, content, header, use_cases))

    def _files(self, folder: str) -> list[Path]:
        return sorted((self._folder / folder).glob("*.json"))

    def _manifest(self) -> Manifest:
        try:
            return read_manifest((self._folder / MANIFEST).read_bytes())
        except OSError as error:
            raise PackError(self._folder, [f"{MANIFEST}: {error.strerror}"]) from None
        except ManifestError as error:
            raise PackError(self._folder, list(error.faults)) from None

    def _nomenclature(self, path: Path) -> frozenset[str]:
        name = f"{NOMENCLATURES_FOLDER}/{path.name}"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Nomenclature)
        except OSError as error:
            self._faults.append(f"{name}: {error.strerror}")
        except (msgspec.DecodeError, ValueError) as error:
            self._faults.append(f"{name}: {error}")
        else:
            if found.nomenclature == path.stem and found.codes:
                return frozenset(code.code for code in found.codes)
            self._faults.append(f"{name}: the list of the file's name is due, with at least one code")
        return frozenset()

    def _code_list(self, name: str, schema: Schema) -> Text:
        if not schema:
            return Text()
        reader = SchemaReader(name, schema, self._nomenclatures)
        node = reader.code_list()
        self._faults += reader.faults
        return node

    def _model(self, entry: ModelEntry | UseCase, schema: Schema, opaque: frozenset[str] = frozenset()) -> Model:
        node = Object(entry.model)
        if schema:
            reader = SchemaReader(entry.file, schema, self._nomenclatures, self._lists, opaque)
            node = reader.root()
            self._faults += reader.faults
        return Model(entry.model, node, Verdict(schema, self._codes, opaque))

    def _check_way(self, envelope: Object, file: str) -> None:
        """Where the messages are: a message that is not found would be judged by nobody."""
        node: Node | None = envelope
        for name in WAY_TO_MESSAGE:
            if not isinstance(node, Object) or name not in node.required:
                self._faults.append(f"{file}: {name!r} must be there and required, on the way to the message")
                return
            node = node.fields.get(name)
            if name == WAY_TO_MESSAGE[0]:
                node = node.items if isinstance(node, Array) else None
        if not isinstance(node, Object) or node.name not in OPAQUE:
            self._faults.append(f"{file}: {WAY_TO_MESSAGE[-1]!r} must be the definition {min(OPAQUE)!r}")

    def _schema(self, file: str) -> Schema:
        try:
            found = orjson.loads((self._folder / file).read_bytes())
        except OSError as error:
            self._faults.append(f"{file}: {error.strerror}")
        except orjson.JSONDecodeError as error:
            self._faults.append(f"{file}: {error}")
        else:
            if isinstance(found, dict) and found:
                return found
            self._faults.append(f"{file}: a schema is due")
        return {}


def _content_only(envelope: Schema) -> Schema:
    """The envelope's schema without the fields beside `content`."""
    fields = envelope.get("properties")
    if not isinstance(fields, dict) or "content" not in fields:
        return {}
    return {**envelope, "required": ["content"], "properties": {"content": fields["content"]}}
