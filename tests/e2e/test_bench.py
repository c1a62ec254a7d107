"""The drain bench as a whole, small: both forwarders move everything, once and in order, between the markers."""

from pathlib import Path

from bench.drain import DrainBench
from bench.results import ROUTER, SHOVEL, Options, Round
from deploy.local import LocalCluster

MESSAGES = 1500


def test_router_and_shovel_drain_the_same_backlog(cluster: LocalCluster, tmp_path: Path) -> None:
    options = Options(
        messages=MESSAGES, run_up=160, rounds=1, clients=6, workers=2, shards=8, prefetch=100, seed=1, mix="first",
        forwarders=(ROUTER, SHOVEL),
    )  # fmt: skip
    seen: list[Round] = []
    result = DrainBench(cluster, tmp_path, options, lambda _: None).run(seen.append)
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
