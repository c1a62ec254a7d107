"""What a file holds, for the command line: a whole message, the body of one use case under its root, or the body alone.

The law: the format is told by the content (`<` begins XML). An object of one field, with a use case's name or an object
inside, is the body of a use case; every other is a whole message. Only JSON can lack the root: its model is given.
"""

from typing import Any, Final, Literal

import msgspec
import orjson
from lxml import etree

from validators.checks import parse
from validators.faults import ContentFaults, Fault
from validators.limits import CROWDED, is_crowded_json
from validators.manifest import UseCase
from validators.packs import Pack
from validators.xml.parsing import parse as parse_xml

Format = Literal["json", "xml"]
_BLANKS: Final = b" \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Document(msgspec.Struct, frozen=True):
    """One file, judged. `models`: of each content element, or of the body; of a refused one, what it seems to be.
    `json`: its JSON text, whole or with the root, None where there is none to speak of."""

    format: Format
    whole: bool
    models: tuple[str, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    json: bytes | None


class _Content(msgspec.Struct):
    content: msgspec.Raw


def format_of(body: bytes) -> Format:
    """By the first character that is no blank."""
    return "xml" if body.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANKS)[:1] == b"<" else "json"


def judge(pack: Pack, body: bytes, rootless: UseCase | None = None) -> Document:
    """What `body` holds, and all that is wrong with it. `rootless`: the use case of JSON bodies without their root."""
    try:
        if format_of(body) == "xml":
            return _xml(pack, body)
        if is_crowded_json(body):
            raise ContentFaults([CROWDED])
        value = parse(body)
        if rootless is None:
            return _json(pack, body, value)
        return _case(pack, rootless, value, orjson.dumps({rootless.root: value}), "$")
    except ContentFaults as refused:
        return Document(format_of(body), False, (), refused.faults, (), None)


def converted(pack: Pack, document: Document, to: Format, rootless: UseCase | None = None) -> bytes:
    """A valid document in the other format; a body to JSON without its root where `rootless` is its use case. Raises
    Unwritable: XML cannot carry it."""
    text = document.json or b""
    if to == "json":
        bare = rootless is not None and not document.whole and document.models == (rootless.model,)
        return orjson.dumps(orjson.loads(text)[rootless.root]) if bare and rootless is not None else text
    return pack.xml.write_message(text) if document.whole else pack.xml.write_case(text)


def _json(pack: Pack, text: bytes, value: Any) -> Document:
    if isinstance(value, dict) and len(value) == 1:
        ((root, body),) = value.items()
        cases = {case.root: case for case in pack.manifest.use_cases}
        if root in cases:
            return _case(pack, cases[root], body, text, f"$.{root}")
        if isinstance(body, dict):
            return Document("json", False, (), (Fault("$", "use_case", ", ".join(cases), "none"),), (), text)
    faults = pack.check_message(text)
    if faults:
        return Document("json", True, pack.models_in(value), faults, (), text)
    models, warnings = pack.judge(msgspec.json.decode(text, type=_Content).content)
    return Document("json", True, models, (), warnings, text)


def _case(pack: Pack, case: UseCase, body: Any, text: bytes, path: str) -> Document:
    faults = pack.check_case(case.root, body, path)
    warnings = () if faults else pack.warnings_of_case(case.root, body, path)
    return Document("json", False, (case.model,), faults, warnings, text)


def _xml(pack: Pack, body: bytes) -> Document:
    whole = _root_name(body) in (pack.manifest.envelope.root, None)
    reading = pack.xml.read_message(body) if whole else pack.xml.read_case(body)
    found = _json(pack, reading.json, orjson.loads(reading.json))
    warnings = () if reading.faults else (*reading.warnings, *found.warnings)
    return msgspec.structs.replace(found, format="xml", faults=reading.all_faults(found.faults), warnings=warnings)


def _root_name(body: bytes) -> str | None:
    """The root element's name without its namespace, or None: the reader will say what is wrong."""
    try:
        return etree.QName(parse_xml(body)).localname
    except ContentFaults:
        return None
