"""A sweep: every combination once, and a table that hides neither spread nor losses."""

from pathlib import Path

import msgspec

from bench.results import ROUTER, Sweep, write
from bench.sweep import HEADING, combinations, markdown
from tests.bench.test_results import OPTIONS, a_result, a_round

GOOD = a_result(a_round(1, ROUTER, 1.0), a_round(2, ROUTER, 2.0), a_round(3, ROUTER, 0.5))
BAD = a_result(a_round(1, ROUTER, 1.0, lost=2))
FOUND = Sweep(command="sweep", started="2026-01-01T00:00:00+0000", results=(GOOD, BAD))


def test_every_combination_comes_once_and_changes_nothing_else() -> None:
    points = combinations(OPTIONS, (1, 2), (64, 256), (4, 8, 12))
    assert len({(point.workers, point.prefetch, point.shards) for point in points}) == len(points) == 12
    assert {(point.messages, point.seed, point.forwarders) for point in points} == {(1000, 1, OPTIONS.forwarders)}


def test_the_table_has_medians_spread_and_losses() -> None:
    heading, _, good, bad = markdown(FOUND)
    assert heading.count("|") == good.count("|") == len(HEADING) + 1
    assert "| 2 | 256 | 8 | 1000 (500–2000) | 40.0 (40.0–40.0) | 100.0 | 41 | all |" in good
    assert "router round 1: lost=2" in bad and FOUND.faults == ("router round 1: lost=2",)


def test_a_sweep_is_one_file(tmp_path: Path) -> None:
    path = write(FOUND, tmp_path)
    assert path.name.endswith("-sweep.json") and msgspec.json.decode(path.read_bytes(), type=Sweep) == FOUND
