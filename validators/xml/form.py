"""The XML form of one pack: messages and bare use cases, read and written. Everything is derived when it is made."""

from collections.abc import Mapping, Sequence

import msgspec
import orjson
from lxml import etree

from validators.checks import parse as parse_json
from validators.faults import ContentFaults, Fault
from validators.manifest import Manifest
from validators.nodes import Object
from validators.xml.explaining import explain
from validators.xml.parsing import parse
from validators.xml.reading import Irregular, QuickReader
from validators.xml.tables import Slot, Tables
from validators.xml.writing import Unwritable, Writer


class XmlReading(msgspec.Struct, frozen=True):
    """What an XML text says. `json`: the same as JSON text, as far as it could be mapped; `faults`: what only XML can
    be wrong about; `warnings`: earlier namespaces that were read. Valid: no faults, and the pack accepts `json`."""

    json: bytes
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]

    def all_faults(self, judged: Sequence[Fault]) -> tuple[Fault, ...]:
        """`faults`, then those of `judged`, the pack's faults of `json`: no place is named twice for one rule."""
        named = {(fault.path, fault.rule) for fault in self.faults}
        return (*self.faults, *(fault for fault in judged if (fault.path, fault.rule) not in named))


class XmlForm:
    """Reads and writes the XML of a pack. Safe to share: nothing changes after it is made."""

    def __init__(self, manifest: Manifest, envelope: Object, header: Object, cases: dict[str, Object]) -> None:
        """The root classes of the envelope, of the header, and of each use case by its root element."""
        tables = Tables(manifest, envelope, header, cases)
        self._root = tables.root
        self._cases = tables.cases
        slots = [tables.root, *tables.cases.values()]
        self._reader, self._writer = QuickReader(slots), Writer(slots)

    def read_message(self, body: bytes) -> XmlReading:
        """A whole message. Raises ContentFaults when there is nothing to map: no XML, a DOCTYPE, another root."""
        root = parse(body)
        self._known(root, {self._root.element: self._root})
        return self._read(root, self._root, "$")

    def read_case(self, body: bytes) -> XmlReading:
        """A use case alone, by its root element; `json` is `{"<root>": {…}}`. Raises as `read_message`."""
        root = parse(body)
        slot = self._known(root, self._cases)
        reading = self._read(root, slot, f"$.{slot.name}")
        return msgspec.structs.replace(reading, json=b'{"%s":%s}' % (slot.name.encode(), reading.json))

    def write_message(self, body: bytes) -> bytes:
        """The XML of a whole message, valid JSON of this pack. Raises Unwritable."""
        return self._writer.write(self._root.name, parse_json(body)).encode()

    def write_case(self, body: bytes) -> bytes:
        """The XML of `{"<root>": {…}}`, a use case of this pack alone. Raises Unwritable."""
        value = parse_json(body)
        if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= self._cases.keys():
            raise Unwritable("use_case", ", ".join(self._cases), "none")
        ((root, case),) = value.items()
        try:
            return self._writer.write(root, case).encode()
        except Unwritable as error:
            error.within(root)
            raise

    def _known(self, root: etree._Element, slots: Mapping[str, Slot]) -> Slot:
        slot = slots.get(etree.QName(root).localname)
        if slot is None:
            raise ContentFaults([Fault("$", "root", ", ".join(slots), "element")])
        return slot

    def _read(self, root: etree._Element, slot: Slot, path: str) -> XmlReading:
        try:
            return XmlReading(orjson.dumps(self._reader.read(root)), (), ())
        except Irregular:
            value, faults, warnings = explain(root, slot, path)
        try:
            return XmlReading(orjson.dumps(value), faults, warnings)
        except orjson.JSONEncodeError:  # it writes 254 levels; 256 of XML may be twice as many in JSON, with lists
            return XmlReading(msgspec.json.encode(value), faults, warnings)
