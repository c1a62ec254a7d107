"""What the broker should have: DELIVERY.md 7, held object by object."""

import re
from pathlib import Path

import pytest

from router.core import names
from router.core.directory import Client, Naming
from router.core.shards import TopologyVersion, shard_of
from router.topology.desired import DesiredVhost, desired_vhost
from router.topology.objects import Binding, Policy
from tests.router.topology.support import VHOST, A, B, config_in

ODD = Client("Fr_ÉTÉ.x+y", naming=Naming.FLAT)
ELSEWHERE = Client("fr.health.elsewhere", vhosts=("w",))

POLICY_KEYS_OF_3_10 = {
    "alternate-exchange",
    "dead-letter-exchange",
    "dead-letter-strategy",
    "delivery-limit",
    "max-length-bytes",
    "message-ttl",
    "overflow",
    "queue-leader-locator",
}


@pytest.fixture
def desired(tmp_path: Path) -> DesiredVhost:
    return desired_vhost(config_in(tmp_path), VHOST, (A, B, ODD, ELSEWHERE), TopologyVersion(1, 8, {A.id: 3}))


def policy_of(desired: DesiredVhost, queue: str) -> Policy:
    (policy,) = (p for p in desired.policies if p.apply_to == "queues" and re.search(p.pattern, queue))
    return policy


def test_every_queue_falls_under_exactly_one_policy(desired: DesiredVhost) -> None:
    for queue in desired.queues:
        policy_of(desired, queue.name)


@pytest.mark.parametrize("name", ["hub.x.message", "dispatch.message", "message", "fr.x.other"])
def test_the_inbox_policy_keeps_to_inboxes(desired: DesiredVhost, name: str) -> None:
    assert not any(policy.name == "hub-inbox" and re.search(policy.pattern, name) for policy in desired.policies)


def test_every_queue_refuses_when_full_and_says_how_often_it_delivers(desired: DesiredVhost) -> None:
    for queue in desired.queues:
        definition = policy_of(desired, queue.name).definition
        assert definition["overflow"] == "reject-publish"
        assert int(definition["max-length-bytes"]) > 0
        assert definition["delivery-limit"] == (20 if _loops(queue.name) else 1_000_000)


def _loops(queue: str) -> bool:
    return bool(re.search(r"^dispatch\.[0-9]|^hub\.retry|^(?!hub\.|dispatch\.)", queue))


def test_what_dead_letters_does_so_at_least_once_and_the_rest_not_at_all(desired: DesiredVhost) -> None:
    targets = {}
    for queue in desired.queues:
        definition = policy_of(desired, queue.name).definition
        target = definition.get("dead-letter-exchange")
        assert definition.get("dead-letter-strategy") == ("at-least-once" if target else None)
        assert "dead-letter-routing-key" not in definition
        targets[queue.name] = target
    assert targets["dispatch.00"] == names.DEAD_SHARD
    assert {targets[inbox] for client in (A, B, ODD) for inbox in client.inboxes} == {names.DEAD_INBOX}
    assert {targets[rung.name] for rung in names.RUNGS} == {names.SHARD_EXCHANGE}
    assert targets[names.PARKED] == names.DEAD_PARKED
    assert {targets[q] for q in (*names.DEAD_QUEUES, names.UNKNOWN_QUEUE, names.PROBE)} == {None}
    exchanges = {exchange.name for exchange in desired.exchanges}
    assert {target for target in targets.values() if target} <= exchanges


def test_no_dead_letter_can_be_unroutable(desired: DesiredVhost) -> None:
    """A dead letter that no queue takes stays in its queue for ever (at-least-once)."""
    fanouts = {exchange.name for exchange in desired.exchanges if exchange.type == "fanout"}
    bound = {binding.source for binding in desired.bindings}
    assert fanouts <= bound
    consumed = [q.name for q in desired.queues if q.name.startswith("dispatch.") or q.name in names.DEAD_QUEUES]
    assert len(consumed) == 12
    for queue in consumed:
        assert Binding(names.SHARD_EXCHANGE, queue, queue) in desired.bindings


def test_times_to_live(desired: DesiredVhost) -> None:
    def ttl(queue: str) -> object:
        return policy_of(desired, queue).definition.get("message-ttl")

    assert ttl(A.inboxes[0]) == ttl(names.PARKED) == 86_400_000
    assert [ttl(rung.name) for rung in names.RUNGS] == [1_000, 10_000, 60_000]
    assert ttl(names.PROBE) == 1_000
    assert ttl("dispatch.00") is ttl(names.UNKNOWN_QUEUE) is ttl(names.DEAD_INBOX) is None


def test_policies_are_those_that_the_oldest_broker_knows(desired: DesiredVhost) -> None:
    assert {key for policy in desired.policies for key in policy.definition} <= POLICY_KEYS_OF_3_10
    assert {policy.apply_to for policy in desired.policies} == {"queues", "exchanges"}


def test_the_entrance_sends_what_it_does_not_know_to_the_unknown_queue(desired: DesiredVhost) -> None:
    (policy,) = (policy for policy in desired.policies if policy.apply_to == "exchanges")
    assert [e.name for e in desired.exchanges if re.search(policy.pattern, e.name)] == [names.ENTRANCE]
    assert policy.definition == {"alternate-exchange": names.UNKNOWN_EXCHANGE}
    assert Binding(names.UNKNOWN_EXCHANGE, names.UNKNOWN_QUEUE, "") in desired.bindings


def test_only_what_never_changes_is_an_argument(desired: DesiredVhost) -> None:
    single = {queue.name for queue in desired.queues if queue.single_active}
    assert single == {f"dispatch.{n:02d}" for n in range(8)} | set(names.DEAD_QUEUES)
    for queue in desired.queues:
        assert set(queue.arguments) <= {"x-queue-type", "x-single-active-consumer"}
        assert queue.arguments["x-queue-type"] == "quorum"


def test_clients_are_bound_by_their_keys_to_their_shard(desired: DesiredVhost) -> None:
    entrance = {binding for binding in desired.bindings if binding.source == names.ENTRANCE}
    b_shard = names.shard_queue(shard_of(B.id, 8))
    odd_shard = names.shard_queue(shard_of(ODD.id, 8))
    assert entrance == {
        *(Binding(names.ENTRANCE, "dispatch.03", f"{A.id}.out.{kind}") for kind in names.KINDS),
        Binding(names.ENTRANCE, b_shard, B.id),
        Binding(names.ENTRANCE, odd_shard, ODD.id),
    }


def test_every_inbox_is_bound_by_its_own_name(desired: DesiredVhost) -> None:
    inboxes = {binding for binding in desired.bindings if binding.source == names.INBOX_EXCHANGE}
    assert inboxes == {
        Binding(names.INBOX_EXCHANGE, inbox, inbox) for client in (A, B, ODD) for inbox in client.inboxes
    }


def test_a_client_of_another_vhost_has_nothing_here(desired: DesiredVhost) -> None:
    assert ELSEWHERE.id not in repr(desired)


# ---- rights ---------------------------------------------------------------------------------------

NEIGHBOURS = [("fr.x.samu57", "fr.x.samu570"), ("fr.x.samu.57", "fr.x.samux57"), ("fr.x", "fr.x.in")]


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("one, other", [pair for p in NEIGHBOURS for pair in (p, p[::-1])])
def test_a_neighbour_is_never_touched(tmp_path: Path, naming: Naming, one: str, other: str) -> None:
    mine, theirs = Client(one, naming=naming), Client(other, naming=naming)
    desired = desired_vhost(config_in(tmp_path), VHOST, (mine, theirs), TopologyVersion(1, 8, {}))
    (rights,) = (rights for rights in desired.rights if rights.user == one)
    (topic,) = (rights for rights in desired.topic_rights if rights.user == one)
    assert all(re.search(rights.read, inbox) for inbox in mine.inboxes)
    assert not any(re.search(rights.read, inbox) for inbox in theirs.inboxes)
    assert all(re.search(topic.write, key) for key in mine.publish_keys)
    assert not any(re.search(topic.write, key) for key in theirs.publish_keys)


def test_a_client_declares_nothing_and_writes_to_the_entrance_only(desired: DesiredVhost) -> None:
    objects = [e.name for e in desired.exchanges] + [q.name for q in desired.queues] + ["amq.default", "hubsante2"]
    for client in (A, B, ODD):
        (rights,) = (rights for rights in desired.rights if rights.user == client.id)
        assert [name for name in objects if re.search(rights.write, name)] == [names.ENTRANCE]
        assert [name for name in objects if re.search(rights.read, name)] == list(client.inboxes)
        assert not any(re.search(rights.configure, name) for name in objects)


def test_the_router_reads_what_it_consumes_and_writes_to_what_clients_cannot(desired: DesiredVhost) -> None:
    (rights,) = (rights for rights in desired.rights if rights.user == "hubex-router")
    readable = {queue.name for queue in desired.queues if re.search(rights.read, queue.name)}
    shards = {f"dispatch.{n:02d}" for n in range(8)}
    assert readable == {*shards, names.UNKNOWN_QUEUE, *names.DEAD_QUEUES, names.PARKED}
    writable = {exchange.name for exchange in desired.exchanges if re.search(rights.write, exchange.name)}
    assert writable == {exchange.name for exchange in desired.exchanges} - {names.ENTRANCE}
    assert rights.configure == "^$"
