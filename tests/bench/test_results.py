"""Results: medians with their spread, ratios round by round, and no clean exit beside a broken promise."""

from pathlib import Path

import msgspec
import pytest

from bench.ledger import Ledger, Verdict
from bench.procstat import Machine
from bench.results import NULL, ROUTER, SHOVEL, Options, Result, Round, Spread, write
from bench.tables import row, summary, table

MACHINE = Machine("A CPU", 2, 2**34, "6.1", "3.11.7", {"aiormq": "7.2"}, {"rabbitmq": "3.10.8", "erlang": "25"})
OPTIONS = Options(
    messages=1000, run_up=100, rounds=3, clients=5, workers=2, shards=8, prefetch=256, seed=1, mix="rc-eda",
    forwarders=(ROUTER, SHOVEL),
)  # fmt: skip


def verdict(lost: int = 0) -> Verdict:
    ledger = Ledger()
    for number in range(lost):
        ledger.published("fr.health.a", number)
        ledger.confirmed("fr.health.a", number)
    return ledger.verdict()


def a_round(number: int, forwarder: str, seconds: float, lost: int = 0) -> Round:
    return Round(
        number=number, forwarder=forwarder, messages=1000, seconds=seconds, skew_seconds=0.1,
        cpu_seconds=0.04 if forwarder == ROUTER else 0.0, broker_cpu_seconds=0.1,
        yardstick_us=8.0,
        workers_rss_bytes=(40 * 2**20, 41 * 2**20) if forwarder == ROUTER else (), verdict=verdict(lost),
    )  # fmt: skip


def a_result(*rounds: Round) -> Result:
    return Result(
        command="run", started="2026-01-01T00:00:00+0000", options=OPTIONS, body_bytes_mean=3300.0, machine=MACHINE,
        load_before=0.2, rounds=rounds,
    )  # fmt: skip


GOOD = a_result(
    a_round(1, ROUTER, 1.0), a_round(1, SHOVEL, 1.0), a_round(2, ROUTER, 2.0), a_round(2, SHOVEL, 1.0),
    a_round(3, ROUTER, 0.5), a_round(3, SHOVEL, 1.0),
)  # fmt: skip


def test_figures_of_a_round() -> None:
    each = a_round(1, ROUTER, 0.5)
    assert each.rate == 2000 and each.cpu_us == pytest.approx(40) and each.broker_cpu_us == pytest.approx(100)


def test_medians_come_with_their_spread() -> None:
    rates = GOOD.spread(ROUTER, lambda each: each.rate)
    assert (rates.median, rates.lowest, rates.highest) == (1000, 500, 2000)
    assert GOOD.ratio(SHOVEL) == Spread(1.0, 0.5, 2.0)


def test_the_table_has_every_round_and_the_summary_every_version() -> None:
    text = table([row(each) for each in GOOD.rounds])
    assert len(text.splitlines()) == 7 and len({len(line) for line in text.splitlines()}) == 1
    assert "40/41" in text and "shovel" in text
    lines = "\n".join(summary(GOOD))
    for expected in (
        "A CPU",
        "3.10.8",
        "aiormq 7.2",
        "median 1000 msg/s (500–2000)",
        "40.0 µs/message",
        "5.00 (5.00–5.00) of it",
        "1.00 (0.50",
    ):
        assert expected in lines
    assert "nothing lost" in lines and GOOD.faults == ()


def test_a_broken_promise_is_named_with_its_round() -> None:
    bad = a_result(a_round(1, ROUTER, 1.0), a_round(1, SHOVEL, 1.0), a_round(2, ROUTER, 1.0, lost=3))
    assert bad.faults == ("router round 2: lost=3",)
    assert "BROKEN: router round 2: lost=3" in list(summary(bad))


def test_what_a_rival_loses_is_told_and_breaks_no_promise() -> None:
    beside = a_result(a_round(1, ROUTER, 1.0), a_round(1, NULL, 1.0, lost=2))
    assert beside.faults == () and beside.rivals_faults == ("null round 1: lost=2",)
    assert "rivals: null round 1: lost=2" in list(summary(beside))


def test_a_result_is_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    path = write(GOOD, tmp_path / "results")
    assert path.suffix == ".json" and msgspec.json.decode(path.read_bytes(), type=Result) == GOOD
