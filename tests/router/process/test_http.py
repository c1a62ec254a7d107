import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from router.process import http
from router.process.http import HealthServer, Pages
from router.process.status import HubStatus, Phase, WorkerStatus


def worker(index: int = 0, **changes: Any) -> WorkerStatus:
    fields: dict[str, Any] = {
        "index": index, "pid": 1, "live": True, "ready": True, "why": "", "last_beat_at": 0.0, "restarts": {},
    }  # fmt: skip
    return WorkerStatus(**(fields | changes))


def status(*workers: WorkerStatus, phase: Phase = Phase.RUNNING, age_seconds: float = 0.0) -> HubStatus:
    return HubStatus(time.monotonic() - age_seconds, phase, workers)


def ask(path: str, now: HubStatus) -> tuple[int, Any]:
    code, _, body = Pages(CollectorRegistry(), lambda: now).answer(path, "")
    return code, json.loads(body)


def test_ready_only_when_every_worker_is() -> None:
    assert ask("/readyz", status(worker(), worker(1)))[0] == 200
    code, body = ask("/readyz", status(worker(), worker(1, ready=False, why="vhost a: no connection")))
    assert code == 503 and body["why"] == ["worker 1: vhost a: no connection"]
    assert ask("/readyz", status(worker(live=False)))[0] == 503
    assert ask("/readyz", status())[1]["why"] == ["no worker was started yet"]
    assert ask("/readyz", status(worker(), phase=Phase.DRAINING))[1]["why"] == ["the hub is stopping"]


def test_alive_as_long_as_the_supervisors_loop_turns() -> None:
    assert ask("/livez", status(worker(ready=False))) == (200, {"alive": True, "phase": "running"})
    assert ask("/livez", status(worker(), age_seconds=6.0))[0] == 503


def test_other_paths_are_not_there() -> None:
    assert ask("/", status(worker()))[0] == 404
    assert ask("/readyz?verbose", status(worker()))[0] == 200


class Failing(Collector):
    """Fails as often as told, as files do that a worker is just making."""

    def __init__(self, times: int) -> None:
        self.times = times

    def collect(self) -> Iterator[Any]:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("secret")
        return iter(())


@pytest.mark.parametrize(("failures", "code"), [(0, 200), (2, 200), (3, 500)])
def test_a_scrape_is_tried_again(failures: int, code: int) -> None:
    registry = CollectorRegistry()
    registry._collector_to_names[Failing(failures)] = []
    answer = Pages(registry, status).answer("/metrics", "")
    assert answer[0] == code and b"secret" not in answer[2]


@pytest.fixture
def server() -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0)
    server.start(CollectorRegistry(), lambda: status(worker()))
    yield server
    server.stop()


def test_a_port_in_use_is_an_error_at_once(server: HealthServer) -> None:
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", server.port)


def test_head_has_no_body(server: HealthServer) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/livez", method="HEAD")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200 and answer.read() == b""


def test_dripping_connections_are_cut_and_do_not_keep_others_out(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.5)
    drips = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(http.MOST_CONNECTIONS + 4)]
    deadline = time.monotonic() + 5
    answered = False
    while not answered and time.monotonic() < deadline:
        for drip in drips:
            try:
                drip.send(b"G", socket.MSG_NOSIGNAL)
            except OSError:
                pass
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/livez", timeout=1) as answer:
                answered = answer.status == 200
        except OSError:
            time.sleep(0.1)
    for drip in drips:
        drip.close()
    assert answered


def test_stop_before_start_lets_the_port_go() -> None:
    server = HealthServer("127.0.0.1", 0)
    port = server.port
    server.stop()
    other = HealthServer("127.0.0.1", port)
    other.stop()
