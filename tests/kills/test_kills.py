"""kill -9 under load (issue 2, "Must be shown" 4): nothing lost, every copy marked, order kept."""

import random
import time
from collections.abc import Callable

from tests.conftest import Scale
from tests.kills.conftest import Hub, kill9, workers_of

CLIENTS = 20
RATE = 1000.0


def test_killed_workers(make_hub: Callable[[int], Hub], scale: Scale) -> None:
    hub = make_hub(CLIENTS)
    kills = scale(3, 10)
    chance = random.Random(2)
    with hub.run() as router, hub.load(rate=RATE) as load:
        router.wait_ready()
        load.start()
        load.wait_received(500)
        for _ in range(kills):
            kill9(chance.choice(workers_of(router)))
            before = load.progress()
            load.wait_received(before.received + before.reported + 2500)
        verdict = load.finish(hub.idle)
        assert router.stop() == 0
    assert verdict.ok, verdict.faults
    assert verdict.confirmed >= kills * 2500
    assert verdict.resent == 0


def test_killed_broker(make_hub: Callable[[int], Hub], scale: Scale) -> None:
    hub = make_hub(CLIENTS)
    kills = scale(3, 10)
    with hub.run() as router, hub.load(rate=RATE) as load:
        router.wait_ready()
        load.start()
        load.wait_received(500)
        for _ in range(kills):
            hub.bench.cluster.kill9()
            time.sleep(0.5)
            hub.bench.cluster.start()
            before = load.progress()
            load.wait_received(before.received + before.reported + 2000, 90.0)
        router.wait_ready()
        verdict = load.finish(hub.idle)
        assert router.stop() == 0
    assert verdict.ok, verdict.faults
    assert verdict.confirmed >= kills * 2000
