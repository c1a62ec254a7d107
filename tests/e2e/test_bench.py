"""The benches as a whole, small: every forwarder moves everything, once and in order, and the figures are of that."""

from pathlib import Path

from bench.drain import DrainBench
from bench.latency import REPORT
from bench.live import LiveBench
from bench.results import NULL, RIVALS, ROUTER, SHOVEL, Options, Round
from deploy.local import LocalCluster
from tests.conftest import Scale

MESSAGES = 1500


def test_router_and_shovel_drain_the_same_backlog(cluster: LocalCluster, tmp_path: Path) -> None:
    options = Options(
        messages=MESSAGES, run_up=160, rounds=1, clients=6, workers=2, shards=8, prefetch=100, seed=1, mix="first",
        forwarders=(ROUTER, SHOVEL),
    )  # fmt: skip
    seen: list[Round] = []
    result = DrainBench(cluster, tmp_path, options, lambda *_: None).run(seen.append)
    assert list(result.rounds) == seen and [each.forwarder for each in seen] == [ROUTER, SHOVEL]
    assert result.faults == ()
    for each in seen:
        verdict = each.verdict
        assert verdict.published == verdict.confirmed == verdict.delivered == MESSAGES and verdict.reported == 0
        assert verdict.in_order and verdict.marked_duplicates == verdict.resent == 0
        # Between the markers lie all messages, the markers themselves and what was left of the run-up.
        assert MESSAGES + 8 <= each.messages <= MESSAGES + 160 + 16
        assert each.seconds > 0 and each.broker_cpu_seconds > 0
    router = seen[0]
    assert router.cpu_seconds > 0 and len(router.workers_rss_bytes) == 2
    assert all(20e6 < size < 200e6 for size in router.workers_rss_bytes)
    assert result.machine.broker["rabbitmq"]


def test_a_load_at_a_rate_has_latencies_by_format_and_of_reports(cluster: LocalCluster, tmp_path: Path) -> None:
    options = Options(
        messages=0, run_up=0, rounds=1, clients=6, workers=1, shards=4, prefetch=100, seed=1, mix="first",
        forwarders=(ROUTER,), live=True, seconds=1.0, rate=300.0, invalid_share=0.2, xml_share=0.5,
    )  # fmt: skip
    told: list[tuple[str, float]] = []
    result = LiveBench(cluster, tmp_path, options, lambda *what: told.append(what)).run(lambda _: None)
    (each,) = result.rounds
    verdict = each.verdict
    assert result.faults == () and verdict.in_order
    assert 300 <= verdict.published == verdict.confirmed == verdict.delivered + verdict.reported
    assert set(each.latencies) == {"json", "xml", REPORT}
    # What was due in the second has a latency, nothing of the run-up, and nothing twice.
    assert sum(latency.count for latency in each.latencies.values()) in range(290, 400)
    assert abs(each.messages - 300) < 150 and each.seconds >= 1 and each.cpu_seconds > 0 and each.broker_cpu_seconds > 0
    for latency in each.latencies.values():
        assert 0 < latency.lowest_ms <= latency.percentiles_ms["50"] <= latency.percentiles_ms["99"]
        assert latency.percentiles_ms["99.99"] <= latency.highest_ms < 30_000
    assert told[0][1] == 0 and told[-1] == ("round 1 router: reading the inboxes", 1.0)


def test_rivals_move_the_same_messages(cluster: LocalCluster, tmp_path: Path, scale: Scale) -> None:
    chosen = RIVALS[: scale(1, len(RIVALS))]
    options = Options(
        messages=300, run_up=16, rounds=1, clients=4, workers=2, shards=4, prefetch=50, seed=1, mix="first",
        forwarders=chosen,
    )  # fmt: skip
    result = DrainBench(cluster, tmp_path, options, lambda *_: None).run(lambda _: None, "compare")
    assert [each.forwarder for each in result.rounds] == list(chosen)
    for each in result.rounds:
        verdict = each.verdict
        assert verdict.confirmed == verdict.delivered == 300 and verdict.lost == verdict.unmarked_duplicates == 0
        assert all(size > 10e6 for size in each.workers_rss_bytes)
        assert len(each.workers_rss_bytes) == 2
    assert chosen[0] == NULL and result.rounds[0].verdict.in_order, "the null forwarder keeps order"
