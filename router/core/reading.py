"""From a body to what the checks look at: parsed in its own format, valid against the pack, its envelope read.

XML is mapped to the JSON text of the same message, so that one set of checks serves both formats.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from router.core.directory import Format
from router.core.envelope import Envelope, fast_read, is_json, reference_id, scan_reference, slow_read
from router.core.refusals import Code, cause, cause_of, cut
from validators import CROWDED, ContentFaults, Fault, Pack, is_crowded_json


class Reading(Struct, frozen=True):
    """A valid message. `text` is its JSON (the body itself where that is JSON), `expires` epoch seconds; `warnings` are
    codes outside their nomenclature and the like, which refuse nothing."""

    envelope: Envelope
    expires: float
    use_cases: tuple[str, ...]
    warnings: tuple[Fault, ...]
    text: bytes


class Unread(Struct, frozen=True):
    """A body that is refused; `envelope` where it could be read all the same."""

    code: Code
    cause: str
    reference: str
    envelope: Envelope | None


def read(body: bytes, written_in: Format, pack: Pack) -> Reading | Unread:
    """Parse and check against the pack (PROTOCOL.md, checks: 300, 102)."""
    if written_in is Format.JSON:
        return _read_json(body, pack)
    try:
        mapped = pack.xml.read_message(body)
    except ContentFaults as refused:
        return Unread(Code.INVALID_MESSAGE, cause_of(refused.faults), scan_reference(body), None)
    if not mapped.faults:
        found = _read_json(mapped.json, pack)
        if isinstance(found, Reading) and mapped.warnings:
            return structs.replace(found, warnings=(*mapped.warnings, *found.warnings))
        return found
    return _refused(mapped.json, fast_read(mapped.json), pack.all_faults(mapped))


def read_envelope(body: bytes, written_in: Format, pack: Pack) -> tuple[Envelope, float] | None:
    """The envelope and its expiry, the content not looked into; None when that does not go plainly."""
    if written_in is Format.JSON:
        return fast_read(body)
    try:
        return fast_read(pack.xml.read_message(body).json)
    except ContentFaults:
        return None


def _read_json(text: bytes, pack: Pack) -> Reading | Unread:
    quick = fast_read(text)
    if is_crowded_json(text):
        reference = cut(quick[0].distributionID) if quick else scan_reference(text)
        return Unread(Code.INVALID_MESSAGE, cause_of((CROWDED,)), reference, quick[0] if quick else None)
    faults: Sequence[Fault] = ()
    if quick is not None and is_json(text, quick[0].content):
        try:
            return Reading(*quick, *pack.judge(quick[0].content), text)
        except ContentFaults as refused:
            faults = refused.faults  # all of the message's: its envelope has none
    faults = faults or pack.check_message(text)
    if faults:
        return _refused(text, quick, faults)
    slow = slow_read(text)
    if slow is None:
        return Unread(Code.UNRECOGNIZED_MESSAGE_FORMAT, cause("unreadable"), reference_id(text), None)
    return Reading(*slow, *pack.judge(slow[0].content), text)


def _refused(text: bytes, quick: tuple[Envelope, float] | None, faults: Sequence[Fault]) -> Unread:
    return Unread(Code.INVALID_MESSAGE, cause_of(faults), reference_id(text), quick[0] if quick else None)
