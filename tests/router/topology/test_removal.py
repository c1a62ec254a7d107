"""Deleting a queue, DELIVERY.md 7: each step in its order, and everything given back when it may not go."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from router.core import names
from router.core.directory import Client, Naming
from router.settings.config import Config
from router.topology import removal as removal_module
from router.topology.apply import apply, make_plan
from router.topology.management import Unreachable
from router.topology.operations import RemoveClient
from router.topology.parking import ParkingFailed
from router.topology.removal import Kept, Remover, Waits
from tests.router.topology.fake_management import FakeManagement, failing_at
from tests.router.topology.support import VHOST, A, B, config_in

WAITS = Waits(settle_seconds=30, statistics_seconds=10)
GONE = Client("fr.health.gone")


class Bench:
    """A broker with A, B and GONE, from which some are to be removed. `at_sleep` does something in the nth
    wait."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.api = FakeManagement()
        self.slept: list[float] = []
        self.at_sleep: dict[int, Callable[[], Any]] = {}
        apply(config, (A, B, GONE), self.api, say=lambda _: None, sleep=self.slept.append)
        self.api.calls.clear()
        self.slept.clear()
        self.before = repr(self.api.vhosts[VHOST])

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.api.calls.append(f"sleep {seconds:g}")
        self.at_sleep.get(len(self.slept), lambda: None)()

    def remove(self, *staying: Client, force: bool = False) -> tuple[Kept, ...]:
        todo = make_plan(self.config, staying, self.api)
        removals = [operation for operation in todo.operations if isinstance(operation, RemoveClient)]
        remover = Remover(self.api, self.config, staying, WAITS, lambda _: None, self.sleep)
        return remover.remove(removals, force=force)

    def restored(self) -> bool:
        """Everything as before; the order in which bindings were made is nobody's business."""
        vhost = self.api.vhosts[VHOST]
        other = FakeManagement()
        apply(self.config, (A, B, GONE), other, say=lambda _: None, sleep=lambda _: None)
        self.config.topology.file.unlink(missing_ok=True)
        same = ("permissions", "topic", "bindings", "exchanges", "policies")
        return all(vhost[kind] == other.vhosts[VHOST][kind] for kind in same)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(config_in(tmp_path))


def connect(bench: Bench, user: str, name: str) -> None:
    bench.api.connections.append({"user": user, "vhost": VHOST, "name": name})


def test_the_steps_in_their_order(bench: Bench) -> None:
    connect(bench, GONE.id, "c1")
    connect(bench, A.id, "c2")
    assert bench.remove(A, B) == ()
    calls = bench.api.calls
    steps = [
        f"PUT permissions v {GONE.id}",
        "DELETE connections c1",
        *(f"DELETE bindings v e {names.ENTRANCE} q dispatch" for _ in range(3)),
        *(f"DELETE bindings v e {names.INBOX_EXCHANGE} q {GONE.id}" for _ in range(3)),
        "sleep 30",
        "sleep 10",
        *(f"DELETE queues v {inbox}" for inbox in sorted(GONE.inboxes)),
        f"DELETE permissions v {GONE.id}",
        f"DELETE topic-permissions v {GONE.id}",
    ]
    assert [call[: len(step)] for call, step in zip(calls, steps, strict=True)] == steps
    assert [each["name"] for each in bench.api.connections] == ["c2"]


def test_it_may_read_but_not_write_meanwhile(bench: Bench) -> None:
    seen: list[Any] = []
    bench.at_sleep[1] = lambda: seen.append(bench.api.rights(VHOST, GONE.id))
    bench.remove(A, B)
    assert seen == [{"configure": "^$", "write": "^$", "read": names.exactly(*GONE.inboxes)}]


def test_whoever_connects_while_its_rights_are_taken_is_closed_too(bench: Bench) -> None:
    bench.at_sleep[1] = lambda: connect(bench, GONE.id, "late")
    bench.remove(A, B)
    assert bench.api.connections == []


@pytest.mark.parametrize("inbox", GONE.inboxes)
def test_a_message_that_was_there_keeps_it(bench: Bench, inbox: str) -> None:
    bench.api.depth(VHOST, inbox, 3)
    (kept,) = bench.remove(A, B)
    assert kept.reason == f"{inbox} holds 3 messages"
    assert bench.restored() and set(GONE.inboxes) <= set(bench.api.vhosts[VHOST]["queues"])


@pytest.mark.parametrize("sleep", [1, 2])
def test_a_message_that_came_while_waiting_keeps_it(bench: Bench, sleep: int) -> None:
    bench.at_sleep[sleep] = lambda: bench.api.depth(VHOST, GONE.inboxes[0], 1)
    assert len(bench.remove(A, B)) == 1
    assert bench.restored()


def test_a_queue_that_was_not_counted_yet_is_not_empty(bench: Bench) -> None:
    bench.api.depth(VHOST, GONE.inboxes[1], None)
    (kept,) = bench.remove(A, B)
    assert "has not been counted yet" in kept.reason and bench.restored()


def test_it_can_be_read_empty_while_the_waits_run(bench: Bench) -> None:
    bench.api.depth(VHOST, GONE.inboxes[0], 3)
    bench.at_sleep[1] = lambda: bench.api.depth(VHOST, GONE.inboxes[0], 0)
    assert bench.remove(A, B) == ()


def test_many_clients_wait_once(bench: Bench) -> None:
    bench.api.depth(VHOST, B.inboxes[0], 3)
    (kept,) = bench.remove(A)
    assert kept.removal.client_id == B.id and bench.slept == [30, 10]
    assert GONE.inboxes[0] not in bench.api.vhosts[VHOST]["queues"]


@pytest.mark.parametrize(
    "part",
    [
        f"PUT permissions v {GONE.id}",
        f"DELETE bindings v e {names.ENTRANCE}",
        f"DELETE bindings v e {names.INBOX_EXCHANGE}",
        "DELETE connections",
        "sleep",
    ],
)
def test_a_failure_on_the_way_gives_everything_back(bench: Bench, part: str) -> None:
    connect(bench, GONE.id, "c1")
    if part == "sleep":
        bench.at_sleep[1] = _interrupt
    else:
        bench.api.on_request = failing_at(part)
    with pytest.raises((Unreachable, KeyboardInterrupt)):
        bench.remove(A, B)
    assert bench.restored()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_after_a_failure_while_deleting_the_next_run_finishes(bench: Bench) -> None:
    bench.api.on_request = failing_at(f"DELETE queues v {GONE.inboxes[2]}")
    with pytest.raises(Unreachable):
        bench.remove(A, B)
    assert bench.api.rights(VHOST, GONE.id) == {"configure": "^$", "write": "^$", "read": names.exactly(*GONE.inboxes)}
    assert bench.remove(A, B) == ()
    assert not make_plan(bench.config, (A, B), bench.api).faults
    assert not any(isinstance(o, RemoveClient) for o in make_plan(bench.config, (A, B), bench.api).operations)


# ---- a changed naming -----------------------------------------------------------------------------


def test_a_client_that_stays_keeps_its_new_names(bench: Bench) -> None:
    renamed = replace(B, naming=Naming.IN_OUT)
    apply(bench.config, (A, renamed, GONE), bench.api, waits=WAITS, say=lambda _: None, sleep=bench.sleep)
    queues = bench.api.vhosts[VHOST]["queues"]
    assert set(renamed.inboxes) <= set(queues) and not set(B.inboxes) & set(queues)
    rights = bench.api.rights(VHOST, B.id)
    assert rights is not None and rights["read"] == names.exactly(*renamed.inboxes)
    assert B.id in bench.api.users and (names.ENTRANCE, "dispatch.00", B.id) not in bench.api.bindings(VHOST)


def test_its_full_old_inbox_can_still_be_read(bench: Bench) -> None:
    renamed = replace(B, naming=Naming.IN_OUT)
    bench.api.depth(VHOST, B.inboxes[0], 2)
    done = apply(bench.config, (A, renamed, GONE), bench.api, waits=WAITS, say=lambda _: None, sleep=bench.sleep)
    assert len(done.kept) == 1
    rights = bench.api.rights(VHOST, B.id)
    assert rights is not None and rights["read"] == names.exactly(*renamed.inboxes, *sorted(B.inboxes))
    bench.api.depth(VHOST, B.inboxes[0], 0)
    apply(bench.config, (A, renamed, GONE), bench.api, waits=WAITS, say=lambda _: None, sleep=bench.sleep)
    rights = bench.api.rights(VHOST, B.id)
    assert rights is not None and rights["read"] == names.exactly(*renamed.inboxes)


# ---- by force -------------------------------------------------------------------------------------


def test_force_parks_what_is_there_and_then_removes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    parked: list[str] = []

    def park(_config: Config, vhost: str, queue: str, *_: object) -> int:
        rights = bench.api.rights(vhost, GONE.id)
        assert rights is not None and rights["read"] == "^$"  # nobody takes anything away meanwhile
        parked.append(queue)
        bench.api.depth(vhost, queue, 0)
        return 1

    monkeypatch.setattr(removal_module, "park_inbox", park)
    bench.api.depth(VHOST, GONE.inboxes[0], 3)
    assert bench.remove(A, B, force=True) == ()
    assert parked == sorted(GONE.inboxes) and GONE.inboxes[0] not in bench.api.vhosts[VHOST]["queues"]


def test_what_cannot_be_parked_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def park(*_: object) -> int:
        raise ParkingFailed("no room")

    monkeypatch.setattr(removal_module, "park_inbox", park)
    bench.api.depth(VHOST, GONE.inboxes[0], 3)
    (kept,) = bench.remove(A, B, force=True)
    assert kept.reason == "no room" and bench.restored()


def test_what_never_gets_empty_is_kept_even_by_force(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal_module, "park_inbox", lambda *_: 0)
    bench.api.depth(VHOST, GONE.inboxes[0], 3)
    assert len(bench.remove(A, B, force=True)) == 1 and bench.restored()
