"""How much a body may hold, told from its bytes before anything of it is read: what is read costs by the value.

Generous: the largest published sample has a few hundred values, a body of 1 MiB with 32 768 has one every 32 bytes.
"""

from typing import Final

from validators.faults import Fault

MAX_VALUES: Final = 32_768
"""JSON values, or XML elements, of one body. Each may cost up to 3 µs (read, explained, judged, named, written in the
other format): some 200 ms in all (tests/fuzz/test_cost.py)."""
_SPARE_BYTES: Final = 2 * MAX_VALUES  # a value takes at least two bytes: a shorter body need not be looked at
CROWDED: Final = Fault("$", "values", str(MAX_VALUES), "more")


def is_crowded_json(text: bytes) -> bool:
    """Whether a JSON text has more than `MAX_VALUES` values, the signs in its strings not counted."""
    if len(text) < _SPARE_BYTES or _signs(text) <= MAX_VALUES:
        return False
    without_escapes = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return _signs(b"".join(without_escapes.split(b'"')[::2])) > MAX_VALUES


def is_crowded_xml(text: bytes) -> bool:
    """Whether an XML text has more than `MAX_VALUES` elements, comments and the like among them."""
    return len(text) >= _SPARE_BYTES and text.count(b"<") - text.count(b"</") > MAX_VALUES


def _signs(text: bytes) -> int:
    """Each begins a value, or one more; an empty list or object counts twice."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")
