"""Apply: idempotent, all or nothing before the first touch, read back after the last."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from router.core.directory import Client
from router.core.shards import shard_of
from router.settings.config import Config
from router.settings.topology_file import TopologyFileError, read_topology
from router.topology.apply import NOTHING_TO_CHANGE, Applied, NotKept, TopologyRefused, apply, make_plan
from router.topology.management import Unreachable
from router.topology.operations import RemoveClient
from router.topology.removal import Waits
from tests.router.topology.fake_management import FakeManagement, failing_at
from tests.router.topology.support import VHOST, A, B, config_in

NO_WAITS = Waits(settle_seconds=0, statistics_seconds=0)


class Bench:
    """A fake broker and a configuration; `said` is what the last apply printed."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.api = FakeManagement()
        self.said: list[str] = []
        self.slept: list[float] = []

    def apply(self, *clients: Client, **more: Any) -> Applied:
        self.said.clear()
        self.api.calls.clear()
        return apply(
            self.config,
            clients,
            self.api,
            waits=NO_WAITS,
            say=self.said.append,
            sleep=self.slept.append,
            **more,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(config_in(tmp_path))


def test_a_second_apply_changes_nothing(bench: Bench) -> None:
    first = bench.apply(A, B)
    assert first.operations and first.file_written and len(bench.said) == len(first.operations)
    second = bench.apply(A, B)
    assert second == Applied((), (), False)
    assert bench.said == [NOTHING_TO_CHANGE] and bench.api.calls == []


def test_a_changed_directory_changes_just_its_difference(bench: Bench) -> None:
    bench.apply(A)
    bench.apply(A, B)
    assert all(B.id in call for call in bench.api.calls)
    assert all(B.id in line for line in bench.said)


def test_the_file_is_written_after_the_broker_and_counts_changes(bench: Bench) -> None:
    bench.apply(A)
    first = read_topology(bench.config.topology.file)[VHOST]
    assert (first.version, first.clients, first.previous) == (1, {A.id: shard_of(A.id, 8)}, None)
    bench.apply(A, B)
    second = read_topology(bench.config.topology.file)[VHOST]
    assert second.version == 2 and second.previous == first.clients


def test_the_file_keeps_vhosts_that_are_not_configured_any_more(bench: Bench) -> None:
    bench.apply(A)
    bench.config = config_in(bench.config.topology.file.parent, "w")
    bench.apply(A)
    assert set(read_topology(bench.config.topology.file)) == {VHOST, "w"}


def test_new_client_users_have_no_password_and_are_never_overwritten(bench: Bench) -> None:
    bench.apply(A)
    assert bench.api.users[A.id]["password_hash"] == ""
    bench.api.users[B.id] = {"name": B.id, "password_hash": "theirs", "tags": []}
    bench.apply(A, B)
    assert bench.api.users[B.id]["password_hash"] == "theirs"
    assert bench.api.rights(VHOST, B.id) is not None


def test_secrets_are_set_and_never_said(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    bench.config = replace(
        bench.config,
        broker=replace(bench.config.broker, password_file=str(secret)),
        directory=replace(bench.config.directory, clients_password_file=str(secret)),
    )
    bench.apply(A)
    assert bench.api.users[A.id]["password"] == bench.api.users["hubex-router"]["password"] == "s3cret"
    assert not any("s3cret" in line for line in bench.said)


def test_nothing_is_touched_while_one_fault_stands(bench: Bench) -> None:
    bench.apply(A)
    bench.api.vhosts[VHOST]["queues"]["dispatch.03"]["arguments"] = {"x-queue-type": "classic"}
    before = bench.config.topology.file.read_bytes()
    with pytest.raises(TopologyRefused, match=r"queue dispatch\.03: exists with"):
        bench.apply(A, B)
    assert bench.api.calls == [] and bench.config.topology.file.read_bytes() == before


def test_a_broken_topology_file_is_refused_before_anything(bench: Bench) -> None:
    bench.config.topology.file.write_text("{")
    with pytest.raises(TopologyFileError):
        bench.apply(A)
    assert bench.api.calls == []


@pytest.mark.parametrize(
    "part", ["PUT queues v dispatch.04", "POST bindings", f"PUT permissions v {A.id}", "PUT users"]
)
def test_an_apply_that_broke_off_is_finished_by_the_next(bench: Bench, part: str) -> None:
    bench.api.on_request = failing_at(part)
    with pytest.raises(Unreachable):
        bench.apply(A)
    assert not bench.config.topology.file.exists()
    bench.apply(A)
    whole = Bench(config_in(bench.config.topology.file.parent / "other"))
    whole.config.topology.file.parent.mkdir()
    whole.apply(A)
    assert bench.api.vhosts == whole.api.vhosts


def test_what_the_broker_skips_quietly_is_an_error(bench: Bench) -> None:
    bench.api.on_request = lambda call: call == "PUT policies v hub-shard"
    with pytest.raises(NotKept, match="did not keep: .*policy hub-shard"):
        bench.apply(A)
    assert not bench.config.topology.file.exists()


def test_a_node_that_does_not_know_its_disk_yet_is_waited_for(bench: Bench) -> None:
    known = bench.api.nodes
    bench.api.nodes = [{"running": True}]
    bench.slept = _Then(lambda: setattr(bench.api, "nodes", known), at=3)
    bench.apply(A)
    assert bench.slept == [1.0, 1.0, 1.0]


class _Then(list[float]):
    """Collects sleeps and does something at one of them."""

    def __init__(self, action: Any, at: int) -> None:
        self._action, self._at = action, at

    def append(self, seconds: float) -> None:
        super().append(seconds)
        if len(self) == self._at:
            self._action()


def test_a_node_that_never_knows_is_refused(bench: Bench) -> None:
    bench.api.nodes = [{"running": False, "disk_free": 1, "disk_free_limit": 0}]
    with pytest.raises(TopologyRefused, match="disk_budget_bytes"):
        bench.apply(A)


def test_a_plan_changes_nothing(bench: Bench) -> None:
    todo = make_plan(bench.config, (A, B), bench.api)
    assert todo.operations and bench.api.calls == [] and not bench.config.topology.file.exists()


# ---- removal, as part of an apply -----------------------------------------------------------------


def test_an_empty_client_goes_with_all_it_had(bench: Bench) -> None:
    bench.apply(A, B)
    alone = Bench(config_in(bench.config.topology.file.parent))
    alone.apply(A)
    done = bench.apply(A)
    assert done.kept == () and bench.api.vhosts == alone.api.vhosts and bench.api.users == alone.api.users
    version = read_topology(bench.config.topology.file)[VHOST]
    assert B.id not in version.clients and version.previous is not None and B.id in version.previous


def test_a_full_client_is_kept_as_it_was_and_so_is_its_place(bench: Bench) -> None:
    bench.apply(A, B)
    bench.api.depth(VHOST, B.inboxes[0], 7)
    bindings, rights = bench.api.bindings(VHOST), bench.api.rights(VHOST, B.id)
    before = bench.config.topology.file.read_bytes()
    (kept,) = bench.apply(A).kept
    assert str(kept) == f"[v] client fr.fire.b is kept: {B.inboxes[0]} holds 7 messages"
    assert bench.api.bindings(VHOST) == bindings and bench.api.rights(VHOST, B.id) == rights
    assert B.id in bench.api.users and bench.config.topology.file.read_bytes() == before
    # And it is still to be removed.
    assert any(isinstance(o, RemoveClient) for o in make_plan(bench.config, (A,), bench.api).operations)
    bench.api.depth(VHOST, B.inboxes[0], 0)
    assert bench.apply(A).kept == () and B.id not in bench.api.users


def test_a_client_kept_in_one_vhost_keeps_its_user(tmp_path: Path) -> None:
    bench = Bench(config_in(tmp_path, "v", "w"))
    bench.apply(A, B)
    bench.api.depth("w", B.inboxes[2], 1)
    (kept,) = bench.apply(A).kept
    assert kept.removal.vhost == "w" and B.id in bench.api.users
    versions = read_topology(bench.config.topology.file)
    assert B.id not in versions["v"].clients and B.id in versions["w"].clients
    bench.api.depth("w", B.inboxes[2], 0)
    assert bench.apply(A).kept == () and B.id not in bench.api.users


def test_other_changes_are_made_though_a_client_is_kept(bench: Bench) -> None:
    bench.apply(A, B)
    bench.api.depth(VHOST, B.inboxes[0], 1)
    new = Client("fr.health.new")
    assert len(bench.apply(A, new).kept) == 1
    version = read_topology(bench.config.topology.file)[VHOST]
    assert set(version.clients) == {A.id, B.id, new.id}
