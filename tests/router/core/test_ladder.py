"""The ladder: 1 s, 10 s, 60 s, then no more."""

from router.core.ladder import rung_after


def test_each_attempt_rests_longer_and_the_last_rung_ends_it() -> None:
    rungs = [rung_after(attempt) for attempt in range(3)]
    assert [rung.ttl_ms for rung in rungs if rung] == [1_000, 10_000, 60_000]
    assert [rung_after(attempt) for attempt in (3, 4, 2**62)] == [None] * 3


def test_an_attempt_that_cannot_be_is_no_way_to_start_again() -> None:
    assert rung_after(-1) is None
