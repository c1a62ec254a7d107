"""Three nodes behind the balancer: what they are, and a hub and its clients that reconnect whatever part dies."""

import shutil
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from deploy.local import LocalCluster, LocalClusterError, Shape
from deploy.local.balancer import Balancer
from deploy.local.node import Node
from router.settings.config import load_config
from tests.support.amqp import Amqp, Closed, Lost
from tests.support.hub import A2, CLIENTS, A, Hub, S, wait_until
from tests.support.listening import listeners
from tests.support.messages import encoded
from tests.support.party import Party

VHOST = "three"
MESSAGE_SECONDS = 60.0
"""A confirm that was asked of a dying leader comes when another leads; a router's session backs off to 30 s."""


@pytest.fixture(scope="module")
def hub(three: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that runs through all of it, and all of it up."""
    three.up()
    clients = [client for client in CLIENTS if client.id in (A, A2, S)]
    with Hub(three, tmp_path_factory.mktemp("hub"), clients, vhost=VHOST) as running:
        running.apply()
        running.start()
        yield running
        three.up()
        assert running.stop() == 0
        running.remove()


@pytest.fixture
def balancer(three: LocalCluster) -> Balancer:
    three.up()
    assert three.balancer is not None
    return three.balancer


def confirmed(sender: Party, payload: bytes) -> bool:
    """Whether a publish on a new connection was. RabbitMQ 3.10 refuses on a channel that met a dead leader first all
    that it publishes to that queue until the node is back; another channel is told who leads now."""
    sender.close()
    try:
        sender.publish(payload)
        return sender.amqp.confirm()
    except (OSError, Lost, Closed):
        return False


def flows(hub: Hub) -> None:
    """A message passes between clients that connect anew. Copies of what was sent before may come first."""
    sender, recipient = hub.party(A), hub.party(A2)
    payload = encoded(sender.message(recipient))
    wait_until("it is confirmed", lambda: confirmed(sender, payload), MESSAGE_SECONDS)
    arrives(recipient, payload)


def arrives(recipient: Party, payload: bytes) -> None:
    wait_until("it arrives", lambda: taken(recipient) == payload, MESSAGE_SECONDS)


def taken(recipient: Party) -> bytes | None:
    """What is next in its inbox, if anything, on a new connection."""
    recipient.close()
    try:
        arrived = recipient.amqp.take(recipient.inbox("message"), 1)
    except (OSError, Lost, Closed):
        return None
    return arrived.body if arrived else None


def leaders(three: LocalCluster) -> dict[str, Node]:
    """Queue -> its leader, of all of the hub's: shares are made over all."""
    return {queue["name"]: three.node(queue["leader"]) for queue in three.nodes[0].api(f"queues/{VHOST}")}


def wait_out(balancer: Balancer, number: int) -> None:
    """Until the balancer has a node out on both sides."""
    wait_until(
        f"node {number} is out",
        lambda: all(balancer.servers().get(f"{side}/node{number}") == "DOWN" for side in ("amqp", "admin")),
    )


def test_each_part_listens_on_its_own_address_and_loopback_only(three: LocalCluster, balancer: Balancer) -> None:
    ports = three.ports
    wanted = {(balancer.address, ports.amqp), (balancer.admin_address, ports.management)}
    for node in three.nodes:
        served = (*node.ports.of_node, ports.epmd)
        wanted |= {(node.address, port) for port in served}
    assert listeners(three.pids()) - {("127.0.0.1", ports.epmd), ("::1", ports.epmd)} == wanted
    assert three.layout.addresses == tuple(f"127.0.0.{last}" for last in (11, 12, 13, 10, 9))


def test_what_fits_leads_through_the_balancer(three: LocalCluster, hub: Hub, balancer: Balancer) -> None:
    config = load_config(hub.config, {})
    assert (config.broker.host, config.broker.port) == (balancer.address, three.amqp_port)
    assert config.management.url == f"http://{balancer.admin_address}:{three.management_port}"


def test_every_queue_has_a_member_on_each_node_and_the_deployed_files_are_in_force(
    three: LocalCluster, hub: Hub
) -> None:
    names = {node.name for node in three.nodes}
    assert three.leader(VHOST, "hub.parked") is leaders(three)["hub.parked"]
    for queue in three.nodes[0].api(f"queues/{VHOST}"):
        assert (queue["type"], set(queue["members"])) == ("quorum", names), queue["name"]
    asked = "{net_kernel:get_net_ticktime(), application:get_env(rabbit, cluster_partition_handling)}."
    assert three.nodes[2].tool("rabbitmqctl", "eval", asked).split() == ["{10,{ok,pause_minority}}"]


def test_an_inbox_whose_leader_dies_as_it_is_first_written_to_then_nearly_all_that_is_left(
    three: LocalCluster, hub: Hub, balancer: Balancer, tmp_path: Path
) -> None:
    """A channel of RabbitMQ 3.10 that met the dead leader nacks until that node is back: the hub takes another one.
    Then a frozen node, no balancer and no epmd, and `up` mends it."""
    hub.stop()
    led_by = leaders(three)
    sender, recipient = next(
        (sender, recipient)
        for sender, recipient in permutations([hub.party(client.id) for client in hub.clients], 2)
        if led_by[f"dispatch.{hub.shard(sender.id):02d}"] is not led_by[recipient.inbox("message")]
    )
    victim = led_by[recipient.inbox("message")]
    living = next(node for node in three.nodes if node is not victim)
    password = three.clients_password
    shutil.copy(hub.folder / "topology.json", tmp_path)
    with Hub(three, tmp_path, hub.clients, vhost=VHOST, broker={"host": living.address}) as direct:
        direct.start()
        with Amqp(living.address, three.amqp_port, VHOST, sender.id, password) as sending:
            sender.publish(sender.message(recipient, expires_in_seconds=-1), amqp=sending)
            assert sending.confirm()
            victim.kill9()
            payloads = [encoded(sender.message(recipient)) for _ in range(2)]
            for payload in payloads:
                sender.publish(payload, amqp=sending)
                assert sending.confirm(MESSAGE_SECONDS)
                arrives(recipient, payload)
            assert direct.metric("hubex_messages_parked_total") == 0
        assert direct.stop() == 0
    living.sigstop()
    three.kill9_epmd()
    balancer.kill9()
    assert not three.status().serving
    hub.start(ready=False)
    three.up()
    assert three.status().serving
    flows(hub)
    hub.wait_ready(MESSAGE_SECONDS)


def test_a_killed_and_a_frozen_balancer(hub: Hub, balancer: Balancer) -> None:
    balancer.kill9()
    wait_until("the hub noticed", lambda: hub.get("/readyz")[0] == 503)
    balancer.start()
    flows(hub)
    hub.wait_ready()
    balancer.sigstop()
    assert balancer.servers() == {}
    balancer.sigcont()
    flows(hub)


def test_a_drained_node_has_no_clients_and_no_leaders_until_it_is_revived(
    three: LocalCluster, hub: Hub, balancer: Balancer
) -> None:
    node = three.node("2")
    three.drain(node)
    wait_out(balancer, 2)
    flows(hub)
    assert not node.takes_amqp()
    wait_until("it leads nothing", lambda: node not in leaders(three).values())
    three.revive(node)
    wait_until("it is in", balancer.serves)
    wait_until("it leads its share", lambda: node in leaders(three).values())
    flows(hub)


def test_a_cluster_keeps_the_shape_that_it_was_made_with(three: LocalCluster) -> None:
    root, name = three.folder.parent, three.name
    assert LocalCluster.open(root, name).layout == three.layout
    with pytest.raises(LocalClusterError, match=f"{name} was made with --nodes 3 --lb"):
        LocalCluster.open(root, name, Shape(1))
    with pytest.raises(LocalClusterError, match="no node '4'"):
        three.node("4")
    assert three.node("hubex3") is three.node(three.nodes[2].name) is three.nodes[2]
