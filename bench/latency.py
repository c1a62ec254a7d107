"""How long messages take from due to arrival: journals in, HdrHistograms out. Pure.

Law: a latency begins when the message was due, not when the load got round to sending it, so that a hub which stalls
the load cannot hide the stall (coordinated omission). A message that was sent again waits since it was first due. Only
what was due within the measured time counts, a publish by its first copy.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]
from msgspec import Struct

from bench.journal import Kind, Record
from bench.ledger import DEAD_LETTERED

LOWEST_US: Final = 1
HIGHEST_US: Final = 3600 * 1_000_000
DIGITS: Final = 3
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99)
REPORT: Final = "report"
"""The latencies of what came back as an error report; the others are called by the recipient's format."""


class Latency(Struct, frozen=True, kw_only=True):
    """The latencies of one kind of arrival. Milliseconds, from due to read by the recipient."""

    count: int
    mean_ms: float
    lowest_ms: float
    highest_ms: float
    percentiles_ms: dict[str, float]
    """`50`, `90`, `99`, … -> at most so long in that per cent of the cases."""
    histogram: str
    """The whole of it in microseconds, as every HdrHistogram library reads it (V2, compressed, base64)."""


def measure(
    sent: Iterable[Record], read: Iterable[Record], formats: Sequence[str], begin: int, end: int
) -> dict[str, Latency]:
    """Latencies by format, and of reports, of the messages due from `begin` to before `end` (ns, CLOCK_MONOTONIC).

    `formats` has for each of the run's inboxes (a record's `place`) its reader's format. Reports that say 500 come when
    something has died, not when it was checked: they are no latency.
    """
    due = {
        (record.client, record.number): record.nanoseconds
        for record in sent
        if record.kind in (Kind.PUBLISHED, Kind.RESENT) and begin <= record.nanoseconds < end
    }
    found: dict[str, HdrHistogram] = {}
    for record in read:
        name = _name(record, formats)
        at = due.pop((record.client, record.number), None) if name else None
        if at is not None:
            histogram = found.get(name)
            if histogram is None:
                histogram = found[name] = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
            histogram.record_value(min(max((record.nanoseconds - at) // 1000, LOWEST_US), HIGHEST_US))
    return {name: summarize(found[name]) for name in sorted(found)}


def _name(record: Record, formats: Sequence[str]) -> str:
    """Which histogram an arrival belongs to; "" for what is none."""
    if record.kind == Kind.RECEIVED:
        return formats[record.place]
    return REPORT if record.kind == Kind.REPORTED and record.place != DEAD_LETTERED else ""


def summarize(histogram: HdrHistogram) -> Latency:
    """A histogram (microseconds) as it is written down."""
    return Latency(
        count=histogram.get_total_count(),
        mean_ms=round(histogram.get_mean_value() / 1000, 3),
        lowest_ms=histogram.get_min_value() / 1000,
        highest_ms=histogram.get_max_value() / 1000,
        percentiles_ms={f"{at:g}": histogram.get_value_at_percentile(at) / 1000 for at in PERCENTILES},
        histogram=histogram.encode().decode("ascii"),
    )


def merged(parts: Iterable[Latency]) -> HdrHistogram:
    """All of them as one histogram (microseconds)."""
    whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for part in parts:
        whole.decode_and_add(part.histogram)
    return whole


def by_name(rounds: Iterable[tuple[str, Mapping[str, Latency]]]) -> dict[str, Latency]:
    """The latencies of several rounds together: (forwarder, its latencies) of each -> `forwarder format` -> all."""
    parts: dict[str, list[Latency]] = {}
    for forwarder, latencies in rounds:
        for name, latency in latencies.items():
            parts.setdefault(f"{forwarder} {name}", []).append(latency)
    return {name: summarize(merged(of_one)) for name, of_one in parts.items()}
