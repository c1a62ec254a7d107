"""Silence and alarms (DELIVERY.md 4): a broker that stands still, and one that blocks its publishers."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import orjson

from router.session.link import RPC_TIMEOUT_SECONDS
from router.session.vhost import PROBE_SECONDS
from tests.kills.conftest import Hub

CLIENTS = 12
RATE = 500.0
CONFIRM_TIMEOUT_SECONDS = 5


def impatient(hub: Hub) -> Hub:
    """The hub with a short confirm timeout."""
    with hub.bench.config_file.open("a") as config:
        config.write(f"\n[delivery]\nconfirm_timeout_seconds = {CONFIRM_TIMEOUT_SECONDS}\n")
    return hub


def readiness(hub: Hub) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{hub.bench.config.http.port}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def wait_readiness(hub: Hub, code: int, seconds: float = 40.0) -> str:
    deadline = time.monotonic() + seconds
    while (found := readiness(hub))[0] != code:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found[1]


def test_a_broker_that_stands_still(make_hub: Callable[[int], Hub]) -> None:
    """Confirms do not come: the hub cuts, says that it is not ready, and goes on by itself when they may come again."""
    hub = impatient(make_hub(CLIENTS))
    with hub.run() as router, hub.load(rate=RATE) as load:
        router.wait_ready()
        load.start()
        load.wait_received(1000)
        hub.bench.cluster.sigstop()
        try:
            wait_readiness(hub, 503)
            time.sleep(2 * CONFIRM_TIMEOUT_SECONDS)
        finally:
            hub.bench.cluster.sigcont()
        wait_readiness(hub, 200, 60.0)
        before = load.progress()
        load.wait_received(before.received + before.reported + 2000, 90.0)
        verdict = load.finish(hub.idle)
        assert router.stop() == 0
    assert verdict.ok, verdict.faults
    lines = [orjson.loads(line) for line in hub.log_lines()]
    why = {line["text"] for line in lines if line["event"] == "notice" and line["name"] == "session_down"}
    # Which of the three timers ends first is the machine's affair: a message's confirm, the probe's, the heartbeat.
    assert any("confirm did not come" in text or "not confirmed" in text or "heartbeat" in text for text in why), why


def test_a_broker_that_blocks_its_publishers(make_hub: Callable[[int], Hub]) -> None:
    """While blocked: not ready and says why, no reconnect, timers stand still; work resumes when the alarm ends."""
    hub = impatient(make_hub(CLIENTS))
    with hub.run() as router, hub.load(rate=RATE) as load:
        router.wait_ready()
        load.start()
        load.wait_received(1000)
        hub.bench.cluster.ctl("set_vm_memory_high_watermark", "absolute", "1MiB")
        try:
            assert "alarm" in wait_readiness(hub, 503)
            # Longer than every confirm's patience, and than a probe that begins meanwhile could wait for its channel.
            time.sleep(max(2 * CONFIRM_TIMEOUT_SECONDS, PROBE_SECONDS + RPC_TIMEOUT_SECONDS + 1))
            assert readiness(hub)[0] == 503
        finally:
            hub.bench.cluster.ctl("set_vm_memory_high_watermark", "absolute", "3GiB")
        wait_readiness(hub, 200)
        before = load.progress()
        load.wait_received(before.received + before.reported + 2000, 60.0)
        verdict = load.finish(hub.idle)
        assert router.stop() == 0
    assert verdict.ok, verdict.faults
    assert verdict.marked_duplicates == 0, "an alarm is no reason to reconnect, so nothing was redelivered"
    notices = [orjson.loads(line) for line in hub.log_lines() if b'"notice"' in line]
    down = [notice["text"] for notice in notices if notice["name"] == "session_down"]
    assert set(down) == {"blocked by a resource alarm of the broker"}, down
