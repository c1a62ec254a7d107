"""The difference: nothing missing, nothing more, in an order that is safe; and the reasons to refuse."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from router.core import names
from router.core.directory import Client, Naming
from router.core.shards import TopologyVersion, shard_of
from router.settings.config import Config
from router.topology.desired import desired_vhost
from router.topology.diff import Plan, plan
from router.topology.objects import (
    Actual,
    ActualExchange,
    ActualQueue,
    ActualVhost,
    Binding,
    Policy,
    Queue,
    Rights,
)
from router.topology.operations import (
    Bind,
    CreateQueue,
    CreateUser,
    DeletePolicy,
    DeleteUser,
    PutPolicy,
    RemoveClient,
    SetRights,
    SetTopicRights,
    Unbind,
)
from tests.router.topology.support import VHOST, A, B, config_in

GIB = 1 << 30
C = Client("fr.health.c")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_in(tmp_path)


def version(*clients: Client) -> TopologyVersion:
    return TopologyVersion(1, 8, {client.id: shard_of(client.id, 8) for client in clients})


def applied(config: Config, *clients: Client, users: Iterable[str] = ()) -> Actual:
    """A broker that has just what these clients want, in each vhost."""
    vhosts = {vhost.name: _applied_vhost(config, vhost.name, clients) for vhost in config.vhosts}
    tags: dict[str, tuple[str, ...]] = {"hubex-admin": ("administrator",), "hubex-router": ()}
    tags |= {client.id: () for client in clients} | {user: () for user in users}
    return Actual(vhosts=vhosts, users=tags, disk_free_bytes=100 * GIB)


def _applied_vhost(config: Config, name: str, clients: tuple[Client, ...]) -> ActualVhost:
    desired = desired_vhost(config, name, clients, version(*clients))
    return ActualVhost(
        name=name,
        exchanges=tuple(ActualExchange(e.name, e.type) for e in desired.exchanges),
        queues=tuple(ActualQueue(q.name, arguments=q.arguments, messages=0) for q in desired.queues),
        bindings=frozenset(desired.bindings),
        policies=desired.policies,
        rights=frozenset(desired.rights),
        topic_rights=frozenset(desired.topic_rights),
    )


def changed(actual: Actual, **parts: Any) -> Actual:
    return replace(actual, vhosts={VHOST: replace(actual.vhosts[VHOST], **parts)})


def planned(config: Config, clients: Iterable[Client], actual: Actual, *recorded: Client) -> Plan:
    known: Mapping[str, TopologyVersion] = {VHOST: version(*recorded)} if recorded else {}
    return plan(config, tuple(clients), actual, known)


def refusals(result: Plan) -> list[str]:
    return [str(fault) for fault in result.faults]


def test_what_is_as_it_should_be_is_not_touched(config: Config) -> None:
    result = planned(config, (A, B), applied(config, A, B), A, B)
    assert result == Plan(operations=(), versions={VHOST: version(A, B)})


def test_an_empty_broker_gets_everything_in_a_safe_order(config: Config) -> None:
    actual = Actual({VHOST: ActualVhost(VHOST, False)}, {"hubex-admin": ("administrator",)}, disk_free_bytes=100 * GIB)
    result = planned(config, (A, B), actual)
    kinds = [type(operation).__name__ for operation in result.operations]
    order = list(dict.fromkeys(kinds))
    assert order[:2] == ["CreateVhost", "SetRights"]  # without rights of its own the administrator declares nothing
    assert order[2:] == ["PutPolicy", "CreateExchange", "CreateQueue", "Bind", "CreateUser", "SetTopicRights"]
    assert kinds[-1] == "SetRights" and not result.faults
    sources = [operation.binding.source for operation in result.operations if isinstance(operation, Bind)]
    assert sources.index(names.ENTRANCE) > max(i for i, s in enumerate(sources) if s == names.INBOX_EXCHANGE)
    assert all(len(str(operation).splitlines()) == 1 for operation in result.operations)


def test_a_new_client_is_just_the_difference(config: Config) -> None:
    result = planned(config, (A, C), applied(config, A), A)
    assert len(result.operations) == 3 + 3 + 3 + 1 + 1 + 1
    assert all(C.id in str(operation) for operation in result.operations)
    assert result.versions[VHOST] == TopologyVersion(2, 8, version(A, C).clients, version(A).clients)


def test_a_user_of_two_vhosts_is_made_once(tmp_path: Path) -> None:
    config = config_in(tmp_path, "v", "w")
    result = plan(config, (A, C), applied(config, A), {})
    assert sum(isinstance(operation, CreateUser) for operation in result.operations) == 1
    assert {o.vhost for o in result.operations if isinstance(o, SetRights)} == {"v", "w"}


def test_key_rights_come_before_the_right_to_write(config: Config) -> None:
    operations = planned(config, (A, C), applied(config, A), A).operations
    kinds = [type(operation) for operation in operations]
    assert kinds.index(SetTopicRights) < kinds.index(SetRights)


def test_a_changed_limit_is_one_policy(tmp_path: Path) -> None:
    actual = applied(config_in(tmp_path), A)
    (operation,) = planned(config_in(tmp_path, inbox_max_bytes=GIB // 2), (A,), actual, A).operations
    assert str(operation) == "~ [v] policy hub-inbox: max-length-bytes 1073741824 -> 536870912"


def test_wrong_rights_and_lost_bindings_are_mended(config: Config) -> None:
    actual = applied(config, A)
    vhost = actual.vhosts[VHOST]
    lost = Binding(names.INBOX_EXCHANGE, A.inboxes[0], A.inboxes[0])
    wide = Rights(A.id, "^$", ".*", ".*")
    broken = changed(
        actual,
        bindings=vhost.bindings - {lost},
        rights=frozenset(right for right in vhost.rights if right.user != A.id) | {wide},
    )
    bind, rights = planned(config, (A,), broken, A).operations
    assert bind == Bind(VHOST, lost)
    assert isinstance(rights, SetRights) and rights.before == wide and str(rights).startswith("~ ")


def test_stray_bindings_of_the_hubs_exchanges_go_and_others_stay(config: Config) -> None:
    actual = applied(config, A)
    stray = Binding(names.ENTRANCE, "dispatch.00", "#")
    wrong = Binding(names.INBOX_EXCHANGE, A.inboxes[0], "other")
    tap = Binding(names.ENTRANCE, "tap", "#")
    more = changed(
        actual,
        bindings=actual.vhosts[VHOST].bindings | {stray, wrong, tap},
        queues=(*actual.vhosts[VHOST].queues, ActualQueue("tap")),
    )
    result = planned(config, (A,), more, A)
    assert result.operations == (Unbind(VHOST, wrong), Unbind(VHOST, stray))
    assert result.left_alone == ("[v] queue tap",)


def test_an_old_policy_of_the_hub_goes_and_a_weak_foreign_one_stays(config: Config) -> None:
    actual = applied(config, A)
    old = Policy("hub-old", "^x$", "queues", 1, {})
    foreign = Policy("ours", ".*", "all", 0, {"max-length": 1})
    more = changed(actual, policies=(*actual.vhosts[VHOST].policies, old, foreign))
    assert planned(config, (A,), more, A).operations == (DeletePolicy(VHOST, "hub-old"),)


# ---- placement ------------------------------------------------------------------------------------


def test_more_shards_move_nobody(tmp_path: Path) -> None:
    clients = tuple(Client(f"fr.health.n{n}") for n in range(20))
    actual = applied(config_in(tmp_path), *clients)
    result = planned(config_in(tmp_path, shards=12), clients, actual, *clients)
    assert result.versions[VHOST].clients == version(*clients).clients
    assert {type(o) for o in result.operations} == {CreateQueue, Bind} and len(result.operations) == 8


def test_a_lost_topology_file_is_read_back_from_the_bindings(config: Config) -> None:
    actual = applied(config, A)
    bindings = actual.vhosts[VHOST].bindings
    other = names.shard_queue((shard_of(A.id, 8) + 1) % 8)
    moved = {Binding(b.source, other, b.key) if b.source == names.ENTRANCE else b for b in bindings}
    result = planned(config, (A,), changed(actual, bindings=frozenset(moved)))
    assert result.operations == ()
    assert result.versions[VHOST].clients == {A.id: int(other[-2:])}


def test_fewer_shards_are_refused(tmp_path: Path) -> None:
    actual = applied(config_in(tmp_path), A)
    (refusal,) = refusals(planned(config_in(tmp_path, shards=4), (A,), actual, A))
    assert refusal.startswith("topology.shards: is 4, but [v] has dispatch.07")


# ---- removal --------------------------------------------------------------------------------------


def test_a_client_that_is_gone_is_removed_with_all_it_had(config: Config) -> None:
    remove, delete = planned(config, (A,), applied(config, A, B), A, B).operations
    assert isinstance(remove, RemoveClient) and delete == DeleteUser(B.id)
    assert set(remove.queues) == set(B.inboxes) and len(remove.bindings) == 4
    assert remove.rights is not None and remove.rights_after is None


@pytest.mark.parametrize("recorded", [(A,), ()])
def test_it_is_found_without_a_record_too(config: Config, recorded: tuple[Client, ...]) -> None:
    result = planned(config, (A,), applied(config, A, B, C), *recorded)
    assert [str(o).partition(":")[0] for o in result.operations] == [
        "- [v] client fr.fire.b",
        "- [v] client fr.health.c",
        "- user fr.fire.b",
        "- user fr.health.c",
    ]


INNER = Client("fr.health.a.in", naming=Naming.FLAT)  # its inboxes look like those of `fr.health.a`


@pytest.mark.parametrize("recorded", [(INNER,), ()])
def test_an_inbox_with_two_readings_is_that_of_the_known_client(config: Config, recorded: tuple[Client, ...]) -> None:
    remove, delete = planned(config, (C,), applied(config, C, INNER), *recorded).operations
    assert isinstance(remove, RemoveClient) and remove.client_id == INNER.id
    assert set(remove.queues) == set(INNER.inboxes) and delete == DeleteUser(INNER.id)


def test_of_two_known_clients_the_in_out_reading_wins(config: Config) -> None:
    flat = replace(A, naming=Naming.FLAT)
    *_, remove = planned(config, (flat,), applied(config, A, users=[INNER.id]), A).operations
    assert isinstance(remove, RemoveClient) and remove.client_id == A.id and set(remove.queues) == set(A.inboxes)


def test_a_client_with_rights_only_is_removed(config: Config) -> None:
    actual = applied(config, A, users=[C.id])
    right = Rights(C.id, "^$", "^hubsante$", names.exactly(*C.inboxes))
    more = changed(actual, rights=actual.vhosts[VHOST].rights | {right})
    remove, delete = planned(config, (A,), more, A).operations
    assert isinstance(remove, RemoveClient) and remove.queues == () and remove.rights == right
    assert delete == DeleteUser(C.id)


def test_a_foreign_user_is_left_alone(config: Config) -> None:
    actual = applied(config, A, users=["monitoring"])
    right = Rights("monitoring", "", "", ".*")
    assert planned(config, (A,), changed(actual, rights=actual.vhosts[VHOST].rights | {right}), A).operations == ()


@pytest.mark.parametrize("tags, elsewhere", [(("monitoring",), ()), ((), (B.id,))])
def test_a_user_with_more_than_the_hub_gave_it_is_not_deleted(
    config: Config, tags: tuple[str, ...], elsewhere: tuple[str, ...]
) -> None:
    actual = applied(config, A, B)
    kept = replace(actual, users={**actual.users, B.id: tags}, other_rights=frozenset(elsewhere))
    assert [type(o) for o in planned(config, (A,), kept, A, B).operations] == [RemoveClient]


def test_a_client_that_leaves_one_vhost_keeps_its_user(tmp_path: Path) -> None:
    config = config_in(tmp_path, "v", "w")
    stays = replace(B, vhosts=("w",))
    (remove,) = plan(config, (A, stays), applied(config, A, B), {}).operations
    assert isinstance(remove, RemoveClient) and remove.vhost == "v"


def test_a_changed_naming_makes_the_new_names_and_then_removes_the_old(config: Config) -> None:
    renamed = replace(B, naming=Naming.IN_OUT)
    result = planned(config, (A, renamed), applied(config, A, B), A, B)
    *_, rights, remove = result.operations
    assert isinstance(rights, SetRights) and isinstance(remove, RemoveClient)
    # It may read both until the old ones are gone, and publish with the new keys only.
    assert rights.rights.read == names.exactly(*renamed.inboxes, *sorted(B.inboxes))
    assert set(remove.queues) == set(B.inboxes) and len(remove.bindings) == 4
    assert remove.rights == rights.rights and remove.rights_after is not None
    assert remove.rights_after.read == names.exactly(*renamed.inboxes)
    assert result.versions[VHOST].clients == version(A, B).clients


# ---- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"arguments": {"x-queue-type": "classic"}},
        {"arguments": {"x-queue-type": "quorum", "x-single-active-consumer": True}},
        {"arguments": {"x-queue-type": "quorum", "x-max-length": 1}},
        {"durable": False},
    ],
)
def test_a_queue_with_other_arguments_is_refused_by_name(config: Config, wrong: dict[str, Any]) -> None:
    actual = applied(config, A)
    queues = tuple(
        replace(queue, **wrong) if queue.name == A.inboxes[0] else queue for queue in actual.vhosts[VHOST].queues
    )
    (refusal,) = refusals(planned(config, (A,), changed(actual, queues=queues), A))
    assert refusal.startswith(f"[v] queue {A.inboxes[0]}: exists with ")


@pytest.mark.parametrize("wrong", [{"type": "direct"}, {"internal": True}, {"arguments": {"alternate-exchange": "x"}}])
def test_an_exchange_of_another_kind_is_refused_by_name(config: Config, wrong: dict[str, Any]) -> None:
    actual = applied(config, A)
    exchanges = tuple(
        replace(each, **wrong) if each.name == names.ENTRANCE else each for each in actual.vhosts[VHOST].exchanges
    )
    (refusal,) = refusals(planned(config, (A,), changed(actual, exchanges=exchanges), A))
    assert refusal.startswith("[v] exchange hubsante: ")


@pytest.mark.parametrize(
    "pattern, apply_to, priority, caught",
    [
        (".*", "all", 100, True),
        (".*", "queues", 999, True),
        (r"^hubsante", "exchanges", 100, True),
        (r"\.in\.message$", "quorum_queues", 100, True),
        ("(?unreadable", "queues", 100, True),
        (".*", "queues", 99, False),
        ("^other", "all", 999, False),
        (".*", "exchanges", 99, False),
    ],
)
def test_a_foreign_policy_that_would_rule_is_refused(
    config: Config, pattern: str, apply_to: str, priority: int, caught: bool
) -> None:
    actual = applied(config, A)
    foreign = Policy("foreign", pattern, apply_to, priority, {})
    result = planned(config, (A,), changed(actual, policies=(*actual.vhosts[VHOST].policies, foreign)), A)
    assert bool(result.faults) == caught
    if caught:
        assert "[v] policy foreign: would rule " in refusals(result)[0]


def test_clients_that_cannot_be_are_refused(config: Config) -> None:
    clients = (Client("fr.health.x", vhosts=("typo",)), Client("hubex-router"), Client("tagged"))
    actual = applied(config, users=["tagged"])
    actual = replace(actual, users={**actual.users, "tagged": ("administrator",)})
    result = refusals(planned(config, clients, actual))
    assert [refusal.partition(":")[0] for refusal in result] == [
        "client fr.health.x",
        "client hubex-router",
        "client tagged",
    ]
    assert "'typo'" in result[0]


def test_the_disk_is_asked_only_when_limits_change(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    poor = replace(applied(config, A), disk_free_bytes=0)
    assert not planned(config, (A, C), poor, A).faults
    lost = tuple(queue for queue in poor.vhosts[VHOST].queues if queue.name != "dispatch.00")
    result = planned(config, (A,), changed(poor, queues=lost), A)
    assert result.operations == (CreateQueue(VHOST, Queue("dispatch.00", True)),) and result.faults
    raised = planned(config_in(tmp_path, shard_max_bytes=GIB), (A,), poor, A)
    assert [type(o) for o in raised.operations] == [PutPolicy] and raised.faults
