"""Order, and both workers at work (issue 2, "Must be shown" 3)."""

import time
from collections import Counter
from collections.abc import Callable

import orjson

from tests.conftest import Scale
from tests.kills.conftest import Hub

CLIENTS = 50
IN_FLIGHT_MIN = 200


def test_each_client_in_order_through_two_workers(make_hub: Callable[[int], Hub], scale: Scale) -> None:
    hub = make_hub(CLIENTS)
    count = scale(20_000, 200_000)
    in_flight: list[int] = []
    with hub.run() as router, hub.load(count=count, window=100, invalid_share=0.1) as load:
        router.wait_ready()
        load.start()
        load.wait_confirmed(count // 20)
        while (progress := load.progress()).published < count:
            in_flight.append(progress.published - progress.received - progress.reported)
            time.sleep(0.1)
        verdict = load.finish(hub.idle)
        assert router.stop() == 0
    assert verdict.ok, verdict.faults
    assert verdict.in_order
    assert verdict.confirmed == verdict.delivered + verdict.reported == count
    assert verdict.reported == verdict.reports_by_code.get(300, 0) + sum(
        verdict.reports_by_code.get(code, 0) for code in (100, 101, 200, 400, 501)
    )
    assert 0.08 < verdict.reported / count < 0.12
    assert verdict.marked_duplicates == verdict.resent == 0
    settled = Counter(
        line["worker"] for line in map(orjson.loads, hub.log_lines()) if line["event"] in ("forwarded", "refused")
    )
    assert min(settled.values()) >= 0.3 * count and len(settled) == 2, settled
    assert min(in_flight) >= IN_FLIGHT_MIN, in_flight
