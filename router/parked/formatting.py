"""Parked messages as text for people. Pure; no payload."""

from datetime import UTC, datetime

from router.client.printable import printable
from router.parked.message import Parked

_REASON_WIDTH = 16
_KEY_WIDTH = 40
_BYTES_WIDTH = 8
HEADING = (
    f"{'ID':<12}  {'PARKED (UTC)':<20}  {'REASON':<{_REASON_WIDTH}}  {'KEY':<{_KEY_WIDTH}}"
    f"  {'BYTES':>{_BYTES_WIDTH}}  DISTRIBUTION ID"
)


def row(parked: Parked) -> str:
    """One line of the list. Ids are whole: the last column may be long."""
    return (
        f"{parked.id:<12}  {moment(parked.parked_at_ms):<20}  {printable(parked.reason):<{_REASON_WIDTH}}"
        f"  {printable(parked.key):<{_KEY_WIDTH}}  {parked.body_bytes:>{_BYTES_WIDTH}}  {printable(parked.reference)}"
    )


def details(parked: Parked) -> str:
    """Everything but the payload, a line each."""
    facts = (
        ("id", parked.id),
        ("vhost", parked.vhost),
        ("distributionID", parked.reference),
        ("client's key", parked.key),
        ("reason", parked.reason),
        ("history", history(parked.history)),
        ("first seen", moment(parked.first_seen_ms)),
        ("parked", moment(parked.parked_at_ms)),
        ("kept until", moment(parked.expires_at_ms) if parked.expires_at_ms else "24 h after it was parked"),
        ("origin", parked.origin),
        ("content type", parked.content_type),
        ("body", f"{parked.body_bytes} bytes, SHA-256 {parked.body_sha256}"),
    )
    return "\n".join(f"{name:<15} {printable(value)}" for name, value in facts if value)


def history(text: str) -> str:
    """`<ms> <what>;<ms> <what>;` with its moments readable. What is not of this shape is left as it is."""
    steps = []
    for step in text.split(";"):
        at, blank, what = step.strip().partition(" ")
        readable = blank and at.isascii() and at.isdigit() and len(at) <= 15
        steps.append(f"{moment(int(at))} {what}" if readable else step.strip())
    return "; ".join(step for step in steps if step)


def moment(ms: int) -> str:
    """`2026-01-31 12:00:00Z`; "?" for none, or one that no calendar has."""
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z" if ms > 0 else "?"
    except (ValueError, OverflowError, OSError):
        return "?"
