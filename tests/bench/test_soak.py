"""A soak fails on a slope, of memory or descriptors, and on a process that went, and not on noise."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from bench.results import MIB, Sample
from bench.soak import descriptors, growing


def samples(memory: Callable[[float], float], files: Callable[[float], float] = lambda _: 20) -> Iterator[Sample]:
    """An hour, a sample every ten seconds; the functions are of the hours past."""
    for second in range(0, 3600, 10):
        yield Sample(float(second), 7, int(memory(second / 3600) * MIB), int(files(second / 3600)))


def test_noise_and_a_warm_up_are_no_slope() -> None:
    chance = Random(1)
    assert list(growing(samples(lambda hours: 50 + chance.uniform(-3, 3)))) == []
    assert list(growing(samples(lambda hours: 50 if hours > 0.1 else 500 * hours))) == []
    assert list(growing(samples(lambda hours: 50, lambda hours: 20 + chance.choice((0, 0, 0, 3))))) == []


def test_a_slope_is_found_under_noise() -> None:
    chance = Random(1)
    (told,) = growing(samples(lambda hours: 50 + 5 * hours + chance.uniform(-3, 3)))
    assert told.startswith("process 7 grew by ")
    (told,) = growing(samples(lambda hours: 50, lambda hours: 20 + 6 * hours))
    assert told.startswith("process 7 opened ")


def test_a_small_process_may_grow_by_the_allocator_s_noise() -> None:
    assert list(growing(samples(lambda hours: 10 + 1.5 * hours))) == []


def test_a_process_that_went_and_one_that_came_are_told() -> None:
    gone = [sample for sample in samples(lambda _: 50) if sample.seconds < 2000]
    other = [Sample(s.seconds, 8, s.rss_bytes, 20) for s in samples(lambda _: 50) if s.seconds >= 2000]
    assert [text.split(" was ")[0] for text in growing(gone + other)] == ["process 7", "process 8"]
    assert list(growing([])) == ["no samples"]


def test_descriptors_are_counted(tmp_path: Path) -> None:
    before = descriptors(os.getpid())
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        assert descriptors(os.getpid()) == before + 2
    assert descriptors(os.getpid(), tmp_path) == 0
