"""What the validators' tests share: the pack, messages around a body, and the published samples when they are there."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import orjson

import schemas
from validators import ContentFaults, Fault, Pack, load_pack

PACKS = ("v1", "v2", "v3")
PACK_FOLDER = Path(schemas.__file__).parent / "v3"
OWN = Path(__file__).parent / "samples"
REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


@cache
def pack(name: str = "v3") -> Pack:
    return load_pack(PACK_FOLDER.with_name(name))


def own_message() -> Any:
    return json.loads((OWN / "rc-eda.json").read_text("utf-8"))


def own_bodies() -> dict[str, Any]:
    bodies: dict[str, Any] = json.loads((OWN / "bodies.json").read_text("utf-8"))
    return bodies


def message_of(value: Any) -> Any:
    return value["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]


def case_of(value: Any) -> Any:
    return message_of(value)["createCase"]


def header() -> dict[str, Any]:
    return {name: field for name, field in message_of(own_message()).items() if name != "createCase"}


def envelope_of(message: Any, **beside: Any) -> Any:
    """A whole message around the `message` object; `beside`: fields of embeddedJsonContent."""
    whole = own_message()
    whole["content"] = [{"jsonContent": {"embeddedJsonContent": {**beside, "message": message}}}]
    return whole


def wrapped(root: str, body: Any) -> Any:
    """A whole message of a use-case body, with the header where it is due."""
    headed = next((case.header for case in pack().manifest.use_cases if case.root == root), False)
    return envelope_of({**(header() if headed else {}), root: body})


def dumped(value: Any) -> bytes:
    """JSON of any value, those included that orjson does not write (large numbers)."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


def content_bytes(value: Any) -> bytes:
    return dumped(value["content"])


def accept(content: bytes, name: str = "v3") -> tuple[str, ...] | None:
    """What the accept path alone says."""
    return pack(name)._accept(content)


def slow(content: bytes, name: str = "v3") -> tuple[str, ...] | tuple[Fault, ...]:
    """What the slow path alone says: the models, or the faults."""
    try:
        return pack(name)._checks.content(content)
    except ContentFaults as refused:
        return refused.faults


def faults_of(content: bytes, name: str = "v3") -> tuple[Fault, ...]:
    """The faults of a content; () when it is accepted."""
    try:
        pack(name).check(content)
    except ContentFaults as refused:
        return refused.faults
    return ()


def at(faults: tuple[Fault, ...]) -> set[tuple[str, str]]:
    """Path and rule of each fault, the way to the message left out."""
    prefix = "$.content[0].jsonContent.embeddedJsonContent.message"
    return {(fault.path.removeprefix(prefix), fault.rule) for fault in faults}


def read(path: Path) -> Any:
    return orjson.loads(path.read_bytes())
