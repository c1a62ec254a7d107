"""Latencies: from due to the first copy, only of what was due in the window, in a histogram that adds up."""

import pytest

from bench.journal import Kind, Record
from bench.latency import REPORT, by_name, measure, merged

MS = 1_000_000
FORMATS = ("json", "xml")


def record(kind: Kind, number: int, at_ms: float, place: int = 0, client: int = 0) -> Record:
    return Record(kind, 0, client, place, 0, 0, number, int(at_ms * MS))


def test_it_runs_from_due_to_the_first_copy_by_format() -> None:
    sent = [record(Kind.PUBLISHED, 1, 100), record(Kind.PUBLISHED, 2, 100, client=1), record(Kind.CONFIRMED, 1, 101)]
    read = [
        record(Kind.RECEIVED, 1, 105),
        record(Kind.RECEIVED, 1, 900),
        record(Kind.RECEIVED, 2, 120, place=1, client=1),
    ]
    found = measure(sent, read, FORMATS, 0, 1000 * MS)
    assert [(name, one.count) for name, one in found.items()] == [("json", 1), ("xml", 1)]
    assert found["json"].highest_ms == pytest.approx(5, rel=1e-3)
    assert found["xml"].percentiles_ms["50"] == pytest.approx(20, rel=1e-3)


def test_only_what_was_due_in_the_window_counts() -> None:
    sent = [record(Kind.PUBLISHED, number, number) for number in range(10)]
    read = [record(Kind.RECEIVED, number, number + 50) for number in range(10)]
    found = measure(sent, read, FORMATS, 3 * MS, 7 * MS)
    assert found["json"].count == 4 and found["json"].lowest_ms == pytest.approx(50, rel=1e-3)


def test_a_stalled_load_hides_nothing() -> None:
    """A hub that stands for a second delays a thousand messages of a load at 1000/s, not the one in its hand."""
    sent = [record(Kind.PUBLISHED, number, number) for number in range(2000)]
    read = [record(Kind.RECEIVED, number, max(number + 1, 1000 + number / 1000)) for number in range(2000)]
    found = measure(sent, read, FORMATS, 0, 2000 * MS)["json"]
    assert found.percentiles_ms["50"] == pytest.approx(1, abs=2) and found.percentiles_ms["90"] > 700


def test_a_message_sent_again_waits_since_it_was_due() -> None:
    sent = [record(Kind.PUBLISHED, 1, 100), record(Kind.RESENT, 2, 100)]
    found = measure(sent, [record(Kind.RECEIVED, 2, 400)], FORMATS, 0, 1000 * MS)
    assert found["json"].count == 1 and found["json"].highest_ms == pytest.approx(300, rel=1e-3)


def test_a_refusal_has_a_latency_and_a_dead_letter_has_none() -> None:
    sent = [record(Kind.PUBLISHED, 1, 100), record(Kind.PUBLISHED, 2, 100)]
    read = [record(Kind.REPORTED, 1, 108, place=300), record(Kind.REPORTED, 2, 9000, place=500)]
    found = measure(sent, read, FORMATS, 0, 1000 * MS)
    assert list(found) == [REPORT] and found[REPORT].count == 1
    assert found[REPORT].mean_ms == pytest.approx(8, rel=1e-3)


def test_strangers_have_none() -> None:
    assert measure([], [record(Kind.RECEIVED, 1, 5), record(Kind.PARKED, 2, 5)], FORMATS, 0, 10 * MS) == {}


def test_rounds_add_up_to_what_one_histogram_would_say() -> None:
    def one(first: int) -> dict[str, object]:
        numbers = range(first, first + 500)
        sent = [record(Kind.PUBLISHED, number, 0) for number in numbers]
        return dict(measure(sent, [record(Kind.RECEIVED, n, n) for n in numbers], FORMATS, 0, MS))

    rounds = [("router", one(1)), ("router", one(501)), ("shovel", one(1))]
    found = by_name(rounds)  # type: ignore[arg-type]
    assert list(found) == ["router json", "shovel json"]
    both = found["router json"]
    assert both.count == 1000 and both.percentiles_ms["50"] == pytest.approx(500, rel=2e-3)
    assert merged([both]).get_max_value() / 1000 == pytest.approx(1000, rel=2e-3)
