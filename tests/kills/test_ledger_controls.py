"""The ledger's controls (DELIVERY.md 10): the same run, with routers that are wrong, must fail."""

from collections.abc import Callable

from bench.ledger import Verdict
from tests.kills.conftest import Hub, kill9, workers_of

CLIENTS = 8
RATE = 1500.0
KILLS = 2


def run(hub: Hub, sabotage: str) -> Verdict:
    with hub.run(sabotage) as router, hub.load(rate=RATE) as load:
        router.wait_ready()
        load.start()
        load.wait_received(500)
        for _ in range(KILLS):
            for pid in workers_of(router):
                kill9(pid)
            before = load.progress()
            load.wait_received(before.received + before.reported + 1000)
        return load.finish(hub.idle, settle_seconds=8.0)


def test_the_honest_router_passes(make_hub: Callable[[int], Hub]) -> None:
    verdict = run(make_hub(CLIENTS), "")
    assert verdict.ok, verdict.faults
    assert verdict.marked_duplicates > 0, "no kill struck between a confirm and its ack: the controls prove nothing"


def test_a_router_that_acknowledges_before_the_confirm_loses(make_hub: Callable[[int], Hub]) -> None:
    assert run(make_hub(CLIENTS), "early_ack").lost > 0


def test_a_router_that_omits_the_mark_is_caught(make_hub: Callable[[int], Hub]) -> None:
    assert run(make_hub(CLIENTS), "unmarked").unmarked_duplicates > 0


def test_a_router_that_swaps_two_messages_is_caught(make_hub: Callable[[int], Hub]) -> None:
    assert run(make_hub(CLIENTS), "swapped").disorder > 0
