"""The topology on a real broker: made once, changed by its difference, taken away without losing a message;
and rights that hold (ACCEPTANCE 18, 19)."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiormq
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import ChannelAccessRefused
from msgspec.structs import replace
from pamqp.commands import Basic

from deploy.local import LocalCluster
from router.core import names
from router.core.directory import Client, Naming
from router.core.shards import shard_queue
from router.settings.config import load_config
from router.settings.topology_file import read_topology
from router.topology.actual import read_depth
from router.topology.apply import Applied, TopologyRefused, apply, make_plan, management_of
from router.topology.management import NotFound
from router.topology.removal import Waits

A = Client("fr.health.topo.samu57")
A2 = Client("fr.health.topo.samu570")
DOTTED = Client("fr.health.topo.samu.58")
UNDOTTED = Client("fr.health.topo.samux58")
FIRE = Client("fr.fire.topo", naming=Naming.FLAT)
ALL = (A, A2, DOTTED, UNDOTTED, FIRE)

# The API is asked until it knows, where a test does not mean the waits themselves.
NO_WAITS = Waits(settle_seconds=0, statistics_seconds=0)
STATISTICS_SECONDS = 12.0

_numbers = itertools.count()


class Hub:
    """A vhost of its own on the cluster. Names with signs that a URL must escape, on purpose."""

    def __init__(self, cluster: LocalCluster, folder: Path) -> None:
        self.vhost = f"topology/é {next(_numbers)}%"
        path = cluster.write_config(folder / "hubex.toml", vhosts=[{"name": self.vhost, "pack": "v3"}])
        self.config = load_config(path, {})
        self.api = management_of(self.config)
        self.said: list[str] = []

    def apply(self, *clients: Client, waits: Waits = NO_WAITS, **more: Any) -> Applied:
        self.said.clear()
        return apply(self.config, clients, self.api, waits=waits, say=self.said.append, **more)

    def plan(self, *clients: Client) -> list[str]:
        return [str(operation) for operation in make_plan(self.config, clients, self.api).operations]

    def shard_of(self, client: Client) -> str:
        return shard_queue(read_topology(self.config.topology.file)[self.vhost].shard(client.id))

    def queues(self) -> set[str]:
        return {queue["name"] for queue in self.api.get("queues", self.vhost)}

    def state(self) -> dict[str, Any]:
        """Everything but the numbers."""
        permissions = [self.api.get("vhosts", self.vhost, kind) for kind in ("permissions", "topic-permissions")]
        bindings = [(b["source"], b["destination"], b["routing_key"]) for b in self.api.get("bindings", self.vhost)]
        return {
            "bindings": sorted(bindings),
            "rights": sorted(json.dumps(right, sort_keys=True) for rights in permissions for right in rights),
            "queues": self.queues(),
        }

    def until_depth(self, queue: str, wanted: Callable[[int | None], bool]) -> None:
        """Until the API tells a depth that is wanted; it is up to 10 s old."""
        deadline = time.monotonic() + STATISTICS_SECONDS
        while not wanted(read_depth(self.api, self.vhost, queue)):
            assert time.monotonic() < deadline, f"{queue} has {read_depth(self.api, self.vhost, queue)}"
            time.sleep(0.1)

    def until_counted(self, client: Client) -> None:
        for inbox in client.inboxes:
            self.until_depth(inbox, lambda depth: depth is not None)

    def url(self, user: str, password: str) -> str:
        where = f"{self.config.broker.host}:{self.config.broker.port}/{quote(self.vhost, safe='')}"
        return f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@{where}"

    @asynccontextmanager
    async def channel(self, user: str = "") -> AsyncIterator[AbstractChannel]:
        """A confirming channel of a client (or of the administrator)."""
        password = self.config.directory.clients_password() if user else self.config.management.secret()
        connection = await aiormq.connect(self.url(user or self.config.management.user, password))
        try:
            yield await connection.channel(publisher_confirms=True)
        finally:
            await connection.close()

    def close(self) -> None:
        for path in (("vhosts", self.vhost), *(("users", client.id) for client in ALL)):
            try:
                self.api.delete(*path)
            except NotFound:
                pass


@pytest.fixture
def hub(cluster: LocalCluster, tmp_path: Path) -> Iterator[Hub]:
    made = Hub(cluster, tmp_path)
    yield made
    made.close()


async def publish(channel: AbstractChannel, exchange: str, key: str, body: bytes = b"{}", **properties: Any) -> None:
    """Persistent, mandatory and confirmed, or it raises."""
    given = Basic.Properties(delivery_mode=2, content_type="application/json", **properties)
    await channel.basic_publish(body, exchange=exchange, routing_key=key, properties=given, mandatory=True)


async def into_inbox(hub: Hub, queue: str, *bodies: bytes) -> None:
    """As the router forwards."""
    headers = {names.HEADER_KEY: A.publish_keys[0], names.HEADER_FIRST_SEEN: int(time.time() * 1000)}
    async with hub.channel() as channel:
        for body in bodies:
            await publish(channel, names.INBOX_EXCHANGE, queue, body, headers={**headers, "mine": "kept"})


async def taken(hub: Hub, queue: str, user: str = "") -> list[DeliveredMessage]:
    """Everything in a queue, settled."""
    async with hub.channel(user) as channel:
        messages: list[DeliveredMessage] = []
        while not isinstance((message := await channel.basic_get(queue)).delivery, Basic.GetEmpty):
            messages.append(message)
            await channel.basic_ack(message.delivery_tag or 0)
        await channel.close()
        return messages


async def consumed(hub: Hub, queue: str, quiet_seconds: float = 1.0) -> list[DeliveredMessage]:
    """Everything in a queue that only consumers may read (single active consumer), until nothing comes any
    more."""
    messages: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
    found: list[DeliveredMessage] = []
    async with hub.channel() as channel:
        await channel.basic_consume(queue, messages.put)
        while True:
            try:
                found.append(await asyncio.wait_for(messages.get(), quiet_seconds))
            except TimeoutError:
                break
        if found:
            await channel.basic_ack(len(found), multiple=True)
        await channel.close()
    return found


# ---- making and changing --------------------------------------------------------------------------


def test_a_plan_is_what_apply_does_and_a_second_apply_does_nothing(hub: Hub) -> None:
    planned = hub.plan(A, A2, FIRE)
    hub.apply(A, A2, FIRE)
    assert hub.said == planned and len(planned) > 80
    before = hub.state()
    second = hub.apply(A, A2, FIRE)
    assert second == Applied((), (), False) and hub.said == ["nothing to change"]
    assert hub.plan(A, A2, FIRE) == [] and hub.state() == before


def test_the_broker_has_what_the_law_wants(hub: Hub) -> None:
    hub.apply(A)
    hub.until_counted(A)
    queue = hub.api.get("queues", hub.vhost, hub.shard_of(A))
    assert queue["durable"] and queue["arguments"] == {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
    }
    # The policy is told with the statistics, which are late at times.
    hub.until_depth(hub.shard_of(A), lambda depth: depth is not None)
    rules = hub.api.get("queues", hub.vhost, A.inboxes[0])
    assert rules["policy"] == "hub-inbox"
    assert rules["effective_policy_definition"]["overflow"] == "reject-publish"
    assert rules["effective_policy_definition"]["dead-letter-strategy"] == "at-least-once"
    entrance = hub.api.get("exchanges", hub.vhost, names.ENTRANCE)
    assert entrance["type"] == "topic" and entrance["policy"] == "hub-entrance"


def test_a_changed_directory_changes_just_its_difference(hub: Hub) -> None:
    hub.apply(A)
    hub.apply(A, FIRE)
    assert hub.said and all(FIRE.id in line and line.startswith("+ ") for line in hub.said)
    hub.config = replace(hub.config, topology=replace(hub.config.topology, inbox_max_bytes=1 << 20))
    hub.apply(A, FIRE)
    assert len(hub.said) == 1 and hub.said[0].startswith("~ ") and "max-length-bytes" in hub.said[0]


def test_a_key_of_no_client_goes_to_the_unknown_queue(hub: Hub) -> None:
    hub.apply(A)

    async def play() -> list[DeliveredMessage]:
        async with hub.channel() as channel:
            await publish(channel, names.ENTRANCE, "fr.health.topo.nobody")
        return await taken(hub, names.UNKNOWN_QUEUE)

    (message,) = asyncio.run(play())
    assert message.routing_key == "fr.health.topo.nobody"


def test_a_rung_brings_a_message_back_to_the_queue_it_came_from(hub: Hub) -> None:
    hub.apply(A)

    async def play() -> list[list[DeliveredMessage]]:
        async with hub.channel() as channel:
            for queue in ("dispatch.03", names.UNKNOWN_QUEUE, names.DEAD_INBOX):
                await publish(channel, names.RUNGS[0].name, queue)
        back = [await consumed(hub, "dispatch.03", 3.0)]
        return [*back, *[await consumed(hub, queue) for queue in (names.UNKNOWN_QUEUE, names.DEAD_INBOX)]]

    assert [[message.exchange for message in queue] for queue in asyncio.run(play())] == [[names.SHARD_EXCHANGE]] * 3


def test_a_queue_with_other_arguments_is_refused_and_nothing_is_touched(hub: Hub) -> None:
    hub.api.put("vhosts", hub.vhost, body={})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    hub.api.put("permissions", hub.vhost, hub.api.user, body=everything)
    hub.api.put("queues", hub.vhost, "dispatch.00", body={"durable": True, "arguments": {"x-queue-type": "classic"}})
    with pytest.raises(TopologyRefused, match=r"queue dispatch\.00: exists with .*x-queue-type=classic"):
        hub.apply(A)
    assert hub.queues() == {"dispatch.00"}


def test_limits_that_the_disk_cannot_hold_are_refused(hub: Hub) -> None:
    hub.config = replace(hub.config, topology=replace(hub.config.topology, shard_max_bytes=1 << 50))
    with pytest.raises(TopologyRefused, match="the disk budget is"):
        hub.apply(A)
    with pytest.raises(NotFound):
        hub.api.get("vhosts", hub.vhost)


# ---- rights ---------------------------------------------------------------------------------------


def test_a_client_publishes_with_its_own_keys_and_reads_its_own_inboxes(hub: Hub) -> None:
    hub.apply(*ALL)

    async def play() -> None:
        for client in ALL:
            async with hub.channel(client.id) as channel:
                for key in client.publish_keys:
                    await publish(channel, names.ENTRANCE, key)
            for inbox in client.inboxes:
                await into_inbox(hub, inbox, b"1")
                assert len(await taken(hub, inbox, client.id)) == 1

    asyncio.run(play())
    routed = {hub.shard_of(client) for client in ALL}
    messages = [message for queue in sorted(routed) for message in asyncio.run(consumed(hub, queue, 0.5))]
    assert sorted(str(m.routing_key) for m in messages) == sorted(key for c in ALL for key in c.publish_keys)


NEIGHBOURS = [(A, A2), (A2, A), (DOTTED, UNDOTTED), (UNDOTTED, DOTTED), (A, FIRE)]


def test_nobody_publishes_with_a_neighbours_key(hub: Hub) -> None:
    hub.apply(*ALL)

    async def play() -> list[DeliveredMessage]:
        for one, other in NEIGHBOURS:
            for key in (*other.publish_keys, one.id, "#", f"{one.publish_keys[0]}.x", f"x.{one.publish_keys[0]}"):
                async with hub.channel(one.id) as channel:
                    with pytest.raises(ChannelAccessRefused):
                        await publish(channel, names.ENTRANCE, key)
        queues = [*(f"dispatch.{n:02d}" for n in range(8)), names.UNKNOWN_QUEUE]
        return [message for queue in queues for message in await consumed(hub, queue, 0.2)]

    assert asyncio.run(play()) == []


async def _ignored(_: DeliveredMessage) -> None:
    pass


def test_nobody_reads_a_neighbours_inbox(hub: Hub) -> None:
    hub.apply(*ALL)

    async def play() -> None:
        for one, other in NEIGHBOURS:
            for queue in (*other.inboxes, hub.shard_of(one), names.PARKED, names.UNKNOWN_QUEUE):
                async with hub.channel(one.id) as channel:
                    with pytest.raises(ChannelAccessRefused):
                        await channel.basic_get(queue)
                async with hub.channel(one.id) as channel:
                    with pytest.raises(ChannelAccessRefused):
                        await channel.basic_consume(queue, _ignored)

    asyncio.run(play())


FORBIDDEN: dict[str, Callable[[AbstractChannel], Any]] = {
    "declares a queue": lambda channel: channel.queue_declare("mine", durable=True),
    "declares a queue for itself": lambda channel: channel.queue_declare(exclusive=True),
    "declares an exchange": lambda channel: channel.exchange_declare(exchange="mine", exchange_type="fanout"),
    "binds its inbox": lambda channel: channel.queue_bind(A.inboxes[0], names.ENTRANCE, routing_key="#"),
    "binds another's inbox": lambda channel: channel.queue_bind(A2.inboxes[0], names.ENTRANCE, routing_key="#"),
    "unbinds its inbox": lambda channel: channel.queue_unbind(
        A.inboxes[0], names.INBOX_EXCHANGE, routing_key=A.inboxes[0]
    ),
    "binds exchanges": lambda channel: channel.exchange_bind(
        destination="amq.fanout", source=names.ENTRANCE, routing_key="#"
    ),
    "deletes its inbox": lambda channel: channel.queue_delete(A.inboxes[0]),
    "deletes another's inbox": lambda channel: channel.queue_delete(A2.inboxes[0]),
    "purges another's inbox": lambda channel: channel.queue_purge(A2.inboxes[0]),
    "deletes the entrance": lambda channel: channel.exchange_delete(names.ENTRANCE),
    "publishes into an inbox": lambda channel: publish(channel, names.INBOX_EXCHANGE, A2.inboxes[0]),
    "publishes into a shard": lambda channel: publish(channel, names.SHARD_EXCHANGE, "dispatch.00"),
    "publishes by the default exchange": lambda channel: publish(channel, "", A2.inboxes[0]),
    "publishes into the parked": lambda channel: publish(channel, names.PARKED, names.PARKED),
}


def test_a_client_declares_binds_and_deletes_nothing(hub: Hub) -> None:
    hub.apply(A, A2)
    before = hub.state()

    async def play() -> None:
        for what, attempt in FORBIDDEN.items():
            async with hub.channel(A.id) as channel:
                with pytest.raises(ChannelAccessRefused):
                    await attempt(channel)
                    pytest.fail(f"a client {what}")

    asyncio.run(play())
    assert hub.state() == before


def test_a_client_made_without_a_password_has_none(hub: Hub) -> None:
    hub.config = replace(hub.config, directory=replace(hub.config.directory, clients_password_file=""))
    hub.apply(A)

    async def login(password: str) -> None:
        await (await aiormq.connect(hub.url(A.id, password))).close()

    for password in ("", "guest", A.id):
        with pytest.raises(aiormq.exceptions.AMQPConnectionError):
            asyncio.run(login(password))


def test_a_users_password_is_never_overwritten(hub: Hub) -> None:
    hub.api.put("users", A.id, body={"password": "its-own", "tags": ""})
    hub.apply(A)

    async def login(password: str) -> None:
        await (await aiormq.connect(hub.url(A.id, password))).close()

    asyncio.run(login("its-own"))


# ---- taking away ----------------------------------------------------------------------------------


def test_an_empty_client_goes_with_everything_it_had(hub: Hub) -> None:
    hub.apply(A)
    alone = hub.state()
    hub.apply(A, FIRE)
    hub.until_counted(FIRE)
    assert hub.apply(A).kept == ()
    assert hub.state() == alone and hub.plan(A) == []
    with pytest.raises(NotFound):
        hub.api.get("users", FIRE.id)


def test_a_full_client_is_kept_and_works_as_before(hub: Hub) -> None:
    hub.apply(A, FIRE)
    before = hub.state()
    asyncio.run(into_inbox(hub, FIRE.inboxes[1], b"1", b"2"))
    hub.until_counted(FIRE)
    hub.until_depth(FIRE.inboxes[1], lambda depth: depth == 2)
    (kept,) = hub.apply(A).kept
    assert kept.reason == f"{FIRE.inboxes[1]} holds 2 messages" and hub.state() == before

    async def play() -> None:
        async with hub.channel(FIRE.id) as channel:
            await publish(channel, names.ENTRANCE, FIRE.id)
        await into_inbox(hub, FIRE.inboxes[1], b"3")
        assert [message.body for message in await taken(hub, FIRE.inboxes[1], FIRE.id)] == [b"1", b"2", b"3"]

    asyncio.run(play())


def test_a_message_that_no_statistics_knew_of_yet_is_seen(hub: Hub) -> None:
    """With the waits as they are meant: the message comes at the last moment, and the API tells old depths."""
    hub.apply(A, FIRE)
    first = itertools.count()

    def sleep(seconds: float) -> None:
        if next(first) == 0:  # as if it had been in flight when the bindings went
            hub.api.post(
                "bindings",
                hub.vhost,
                "e",
                names.INBOX_EXCHANGE,
                "q",
                FIRE.inboxes[0],
                body={"routing_key": FIRE.inboxes[0], "arguments": {}},
            )
            asyncio.run(into_inbox(hub, FIRE.inboxes[0], b"late"))
        time.sleep(seconds)

    done = hub.apply(A, waits=Waits(settle_seconds=0, statistics_seconds=10), sleep=sleep)
    assert [kept.reason for kept in done.kept] == [f"{FIRE.inboxes[0]} holds 1 messages"]


def test_by_force_its_messages_are_parked_and_their_sender_is_told(hub: Hub) -> None:
    hub.apply(A, FIRE)
    bodies = [b'{"distributionID":"%s_%d"}' % (A.id.encode(), n) for n in range(250)]
    asyncio.run(into_inbox(hub, FIRE.inboxes[0], *bodies))
    asyncio.run(into_inbox(hub, FIRE.inboxes[2], b"a report that nobody may be told about"))
    for inbox, count in ((FIRE.inboxes[0], 250), (FIRE.inboxes[1], 0), (FIRE.inboxes[2], 1)):
        hub.until_depth(inbox, lambda depth, count=count: depth == count)  # type: ignore[misc]

    def until_empty(_: float) -> None:
        if any("parked" in line for line in hub.said):
            for inbox in FIRE.inboxes:
                hub.until_depth(inbox, lambda depth: depth == 0)

    assert hub.apply(A, force=True, sleep=until_empty).kept == ()
    assert not set(FIRE.inboxes) & hub.queues() and hub.plan(A) == []

    report, *parked = asyncio.run(taken(hub, names.PARKED))
    assert report.body.startswith(b"a report") and [message.body for message in parked] == bodies
    for message in parked:
        headers = dict(message.header.properties.headers or {})
        assert headers[names.HEADER_REASON] == names.REASON_INBOX_REMOVED
        assert headers[names.HEADER_KEY] == A.publish_keys[0] and headers["mine"] == "kept"
        assert headers[names.HEADER_REFERENCE] == json.loads(message.body)["distributionID"]
        assert 86_000_000 < int(message.header.properties.expiration or 0) <= 86_400_000
    reports = asyncio.run(taken(hub, A.inbox(names.INFO), A.id))
    told = [
        json.loads(report.body)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
        for report in reports
    ]
    assert sorted(error["referencedDistributionID"] for error in told) == sorted(
        json.loads(body)["distributionID"] for body in bodies
    )
    assert {error["errorCode"]["statusCode"] for error in told} == {500}


def test_a_client_removed_while_it_publishes_loses_nothing(hub: Hub) -> None:
    hub.apply(A, FIRE)
    hub.until_counted(FIRE)
    shard = hub.shard_of(FIRE)
    confirmed: list[bytes] = []
    many = asyncio.Event()

    async def send() -> None:
        """Until it may no more: its user is deleted."""
        for n in itertools.count():
            try:
                async with hub.channel(FIRE.id) as channel:
                    while True:
                        body = b"%d.%d" % (n, len(confirmed))
                        await publish(channel, names.ENTRANCE, FIRE.id, body)
                        confirmed.append(body)
                        if len(confirmed) == 100:
                            many.set()
            except aiormq.exceptions.ProbableAuthenticationError:
                return
            except (aiormq.exceptions.AMQPError, OSError, RuntimeError, asyncio.CancelledError):
                await asyncio.sleep(0.05)

    async def play() -> Applied:
        sending = asyncio.create_task(send())
        await asyncio.wait_for(many.wait(), 20)
        waits = Waits(settle_seconds=1, statistics_seconds=0)
        done = await asyncio.to_thread(hub.apply, A, waits=waits)
        await asyncio.wait_for(sending, 20)
        return done

    assert asyncio.run(play()).kept == ()
    arrived = {m.body for queue in (shard, names.UNKNOWN_QUEUE) for m in asyncio.run(consumed(hub, queue))}
    assert len(confirmed) >= 100 and set(confirmed) <= arrived


def test_a_changed_naming_moves_the_client_to_its_new_queues(hub: Hub) -> None:
    hub.apply(A, FIRE)
    hub.until_counted(FIRE)
    before = hub.shard_of(FIRE)
    renamed = replace(FIRE, naming=Naming.IN_OUT)
    assert hub.apply(A, renamed).kept == ()
    assert hub.shard_of(FIRE) == before and hub.plan(A, renamed) == []

    async def play() -> None:
        async with hub.channel(renamed.id) as channel:
            await publish(channel, names.ENTRANCE, renamed.publish_keys[0])
            with pytest.raises(ChannelAccessRefused):
                await publish(channel, names.ENTRANCE, FIRE.id)
        await into_inbox(hub, renamed.inboxes[0], b"1")
        assert len(await taken(hub, renamed.inboxes[0], renamed.id)) == 1

    asyncio.run(play())
