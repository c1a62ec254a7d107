"""`hubex parked` on a real broker: looking changes nothing, a replay loses nothing, a drop is on purpose."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from pamqp.commands import Queue

from deploy.local import LocalCluster
from router.client.connect import BrokerRefusal
from router.core import names
from router.core.directory import Client, Directory, Format
from router.parked.replay import Replayed, replay
from router.parked.store import Held, ParkedQueue
from router.settings.config import Config, load_config
from router.settings.directory_file import read_directory
from router.settings.topology_file import read_topology
from tests.conftest import Scale
from tests.support.amqp import Properties
from tests.support.hub import CHECKOUT, FENCE, SMALL_LIMITS, A, Hub, S, wait_until
from tests.support.messages import encoded, message

CLIENTS = (Client(A), Client(S, format=Format.JSON), Client(FENCE))
PARKED = names.PARKED
SECRET = "Saint-Lô"
"""A payload value of every test message."""


@pytest.fixture(scope="module")
def standing(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The topology alone: nothing takes what is replayed."""
    with Hub(cluster, tmp_path_factory.mktemp("parked"), CLIENTS, vhost="parked") as hub:
        hub.apply()
        yield hub


@pytest.fixture
def hub(standing: Hub) -> Iterator[Hub]:
    yield standing
    standing.disconnect()
    for queue in (PARKED, *(names.shard_queue(shard) for shard in range(8))):
        standing.admin.call(Queue.Purge(queue=queue))
    (standing.folder / "audit.log").unlink(missing_ok=True)


OWN_KEY = f"{S}.out.message"


def park(hub: Hub, body: bytes, *, key: str = OWN_KEY, reason: str = "inbox_full", **properties: Any) -> None:
    """Parks a message as the router does."""
    now_ms = time.time_ns() // 1_000_000
    headers = properties.pop("headers", {}) | {
        names.HEADER_KEY: key,
        names.HEADER_REASON: reason,
        names.HEADER_PARKED_AT: now_ms,
        names.HEADER_FIRST_SEEN: now_ms - 1000,
        names.HEADER_REFERENCE: json.loads(body)["distributionID"],
        names.HEADER_HISTORY: f"{now_ms - 500} nacked;",
        names.HEADER_ORIGIN: names.ORIGIN_CLIENT,
        names.HEADER_PUBLISH: 7,
    }
    given = {"content_type": "application/json", "delivery_mode": 2, "expiration": "3600000"} | properties
    hub.admin.publish(PARKED, PARKED, body, Properties(headers=headers, **given))
    assert hub.admin.confirm()


def parked(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    return hub.hubex("parked", *arguments, "--config", str(hub.config))


def ids(hub: Hub, *arguments: str) -> list[str]:
    done = parked(hub, "list", *arguments)
    assert done.returncode == 0, done.stderr
    heading, *rows, total = done.stdout.splitlines()
    assert heading.startswith("ID ") and total == f"{len(rows)} parked message{'' if len(rows) == 1 else 's'}"
    return [row.split()[0] for row in rows]


def audited(hub: Hub) -> list[tuple[str, str]]:
    path = hub.folder / "audit.log"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(line["action"], line["id"]) for line in lines]


def body_of(sender: str = S, recipient: str = A, **more: Any) -> bytes:
    return encoded(message(sender, recipient, **more))


def config_of(hub: Hub) -> Config:
    return load_config(hub.config, {})


def replayed(hub: Hub) -> list[Replayed]:
    """A replay of everything, in this process."""
    config = config_of(hub)
    directory = Directory(read_directory(config.directory.file), hub.vhost)
    topology = read_topology(config.topology.file)[hub.vhost]

    async def work() -> list[Replayed]:
        async with aclosing(replay(config, directory, topology, lambda parked: True)) as results:
            return [result async for result in results]

    return asyncio.run(work())


LOOK_FOR_EVER = """
import asyncio, pathlib, sys
from router.parked.store import opened
from router.settings.config import load_config

async def look():
    async with opened(load_config(pathlib.Path(sys.argv[1]), {}), sys.argv[2]) as queue:
        async for _ in queue.look():
            pass
        await asyncio.sleep(600)

asyncio.run(look())
"""


# ---- looking -------------------------------------------------------------------------------------


def test_nothing_is_parked(hub: Hub) -> None:
    assert ids(hub) == []
    for command in ("show", "replay", "drop"):
        done = parked(hub, command, "0123456789ab")
        assert (done.returncode, done.stderr) == (2, "hubex: no parked message 0123456789ab\n"), command
    assert audited(hub) == []


def test_looking_leaves_everything_where_it_was(hub: Hub) -> None:
    bodies = [body_of() for _ in range(5)]
    for body in bodies:
        park(hub, body)
    first = ids(hub)
    assert len(set(first)) == 5
    assert [ids(hub), ids(hub)] == [first, first]
    assert hub.admin.depth(PARKED) == 5
    found = [hub.admin.get(PARKED) for _ in bodies]
    assert [each.body for each in found if each is not None] == bodies


def test_a_list_of_many_is_whole(hub: Hub, scale: Scale) -> None:
    count = scale(300, 5000)
    for _ in range(count):
        park(hub, body_of())
    found = ids(hub)
    assert len(found) == len(set(found)) == count


def test_no_payload_without_body_and_what_is_shown_is_audited(hub: Hub) -> None:
    body = body_of()
    park(hub, body)
    (identifier,) = ids(hub)
    listed, shown = parked(hub, "list").stdout, parked(hub, "show", identifier).stdout
    reference = json.loads(body)["distributionID"]
    for text in (listed, shown):
        assert reference in text and "inbox_full" in text and f"{S}.out.message" in text
        assert SECRET not in text
    assert "nacked" in shown and "application/json" in shown and f"{len(body)} bytes" in shown
    assert audited(hub) == []
    assert body.decode() in parked(hub, "show", identifier, "--body").stdout.splitlines()
    assert body.decode() in parked(hub, "list", "--body").stdout.splitlines()
    assert audited(hub) == [("show --body", identifier), ("list --body", identifier)]


def test_what_cannot_be_audited_is_not_shown_replayed_or_dropped(hub: Hub) -> None:
    park(hub, body_of())
    (identifier,) = ids(hub)
    (hub.folder / "audit.log").mkdir()
    try:
        looks = (("show", identifier, "--body"), ("list", "--body"))
        for arguments in (*looks, ("replay", "--all"), ("drop", identifier)):
            done = parked(hub, *arguments)
            assert done.returncode == 2 and "audit file" in done.stderr and done.stderr.count("\n") == 1, done
            assert SECRET not in done.stdout
    finally:
        (hub.folder / "audit.log").rmdir()
    assert ids(hub) == [identifier]


def test_a_killed_look_gives_everything_back(hub: Hub) -> None:
    bodies = [body_of() for _ in range(3)]
    for body in bodies:
        park(hub, body)

    with subprocess.Popen([sys.executable, "-c", LOOK_FOR_EVER, str(hub.config), hub.vhost], cwd=CHECKOUT) as looking:
        try:
            wait_until("all are in the hands of one look", lambda: hub.admin.depth(PARKED) == 0)
        finally:
            looking.kill()
    wait_until("they are back", lambda: hub.admin.depth(PARKED) == 3)
    found = [hub.admin.get(PARKED) for _ in bodies]
    assert [each.body for each in found if each is not None] == bodies


# ---- replay --------------------------------------------------------------------------------------


def test_a_replay_goes_to_the_clients_shard_with_the_mark(hub: Hub) -> None:
    mine = {"n": 1, "deep": {"list": [True, None, "x"]}, "CC": ["x"], "x-death": [{"count": 1}]}
    client = {"message_id": "m", "correlation_id": "c", "app_id": "editor", "priority": 3, "reply_to": "r"}
    body = body_of()
    park(hub, body, headers=mine, **client)
    park(hub, body_of(A, S), key=f"{A}.out.message")
    one, other = ids(hub)
    done = parked(hub, "replay", one)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("1 replayed\n") and f"replayed {one}" in done.stdout
    assert ids(hub) == [other]
    arrived = hub.admin.take(names.shard_queue(hub.shard(S)))
    assert arrived is not None and arrived.body == body
    assert (arrived.exchange, arrived.key) == ("hub.shard", names.shard_queue(hub.shard(S)))
    properties = arrived.properties
    assert {name: getattr(properties, name) for name in client} == client
    assert (properties.delivery_mode, properties.expiration, properties.user_id) == (2, None, None)
    assert arrived.headers["n"] == 1 and arrived.headers["deep"] == mine["deep"]
    assert not {"CC", "x-death", names.HEADER_REASON, names.HEADER_PARKED_AT} & arrived.headers.keys()
    assert arrived.headers[names.HEADER_KEY] == f"{S}.out.message"
    assert arrived.headers[names.HEADER_ORIGIN] == "replay"
    assert arrived.headers[names.HEADER_POSSIBLE_DUPLICATE] is True
    assert audited(hub) == [("replay", one)]


def test_a_replay_adds_no_message_id(hub: Hub) -> None:
    park(hub, body_of())
    assert [result.why for result in replayed(hub)] == [""]
    arrived = hub.admin.take(names.shard_queue(hub.shard(S)))
    assert arrived is not None and arrived.properties.message_id is None


def test_all_of_one_reason_in_their_order(hub: Hub) -> None:
    bodies = [body_of() for _ in range(6)]
    for index, body in enumerate(bodies):
        park(hub, body, reason="poison" if index % 2 else "inbox_full")
    assert len(ids(hub, "--reason", "poison")) == 3
    done = parked(hub, "replay", "--all", "--reason", "inbox_full")
    assert done.returncode == 0 and done.stdout.endswith("3 replayed\n")
    found = [hub.admin.take(names.shard_queue(hub.shard(S))) for _ in range(3)]
    assert [each.body for each in found if each is not None] == bodies[::2]
    assert len(ids(hub)) == len(ids(hub, "--reason", "poison")) == 3
    assert parked(hub, "replay", "--all").stdout.endswith("3 replayed\n")
    assert ids(hub) == []


@pytest.mark.parametrize("arguments", [(), ("--reason", "x"), ("012345", "--all"), ("012345", "--reason", "x")])
def test_a_replay_says_which(hub: Hub, arguments: tuple[str, ...]) -> None:
    park(hub, body_of())
    done = parked(hub, "replay", *arguments)
    assert done.returncode == 2 and "say which" in done.stderr
    assert len(ids(hub)) == 1


def test_a_key_of_nobody_stays(hub: Hub) -> None:
    park(hub, body_of(), key="fr.health.gone.out.message", reason=names.REASON_UNKNOWN_KEY)
    park(hub, body_of())
    done = parked(hub, "replay", "--all")
    assert done.returncode == 1 and done.stdout.endswith("1 replayed, 1 still parked\n")
    assert "no client of the directory" in done.stderr and done.stderr.count("\n") == 1
    assert len(ids(hub, "--reason", names.REASON_UNKNOWN_KEY)) == 1


def test_a_crash_between_publish_and_acknowledgement_only_duplicates(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of()
    park(hub, body)
    shard = names.shard_queue(hub.shard(S))

    async def die(queue: ParkedQueue, held: Held) -> None:
        raise BrokerRefusal("cut")

    with monkeypatch.context() as patched:
        patched.setattr(ParkedQueue, "settle", die)
        with pytest.raises(BrokerRefusal):
            replayed(hub)
    wait_until("it is still parked", lambda: hub.admin.depth(PARKED) == 1)
    assert [result.why for result in replayed(hub)] == [""]
    assert hub.admin.depth(PARKED) == 0
    copies = [hub.admin.take(shard), hub.admin.take(shard)]
    assert hub.admin.depth(shard) == 0
    assert all(copy and copy.body == body and copy.headers[names.HEADER_POSSIBLE_DUPLICATE] is True for copy in copies)


def test_a_missing_shard_queue_keeps_it_parked(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Hub(cluster, tmp_path_factory.mktemp("returned"), CLIENTS, vhost="parked-returned") as hub:
        hub.apply()
        park(hub, body_of())
        hub.admin.call(Queue.Delete(queue=names.shard_queue(hub.shard(S))))
        done = parked(hub, "replay", "--all")
        assert done.returncode == 1 and done.stdout == "0 replayed, 1 still parked\n"
        assert "topology apply" in done.stderr
        assert len(ids(hub)) == 1


def test_a_full_shard_keeps_the_rest_parked(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    tight = SMALL_LIMITS | {"shard_max_bytes": 1024}
    with Hub(cluster, tmp_path_factory.mktemp("full"), CLIENTS, vhost="parked-full", topology=tight) as hub:
        hub.apply()
        count = 10
        for _ in range(count):
            park(hub, body_of())
        results = replayed(hub)
        done = [result for result in results if not result.why]
        assert len(results) == count and 1 <= len(done) < count
        assert {result.why for result in results if result.why} == {"its shard queue is full"}
        assert hub.admin.depth(names.shard_queue(hub.shard(S))) == len(done)
        assert hub.admin.depth(PARKED) == count - len(done)


# ---- drop ----------------------------------------------------------------------------------------


def test_a_drop_takes_those_and_no_others(hub: Hub) -> None:
    for _ in range(4):
        park(hub, body_of())
    one, two, three, four = ids(hub)
    done = parked(hub, "drop", three, one)
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["dropped", one], ["dropped", three]]
    assert ids(hub) == [two, four]
    assert audited(hub) == [("drop", one), ("drop", three)]
    done = parked(hub, "drop", two, "0123456789ab")
    assert done.returncode == 2 and "0123456789ab" in done.stderr and two in done.stdout
    assert ids(hub) == [four]


# ---- what stands in the way ----------------------------------------------------------------------


def test_each_trouble_is_one_line(hub: Hub) -> None:
    arguments = ("parked", "list", "--config", str(hub.config))
    vhosts = json.dumps([{"name": "missing", "pack": "v3"}])
    for environment, words in (
        ({"HUBEX_BROKER__PASSWORD_FILE": "", "HUBEX_BROKER__PASSWORD": "wrong"}, "refuses the login"),
        ({"HUBEX_BROKER__PORT": "1"}, "no broker answers"),
        ({"HUBEX_VHOSTS": vhosts}, "'missing'"),
    ):
        done = hub.hubex(*arguments, **environment)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done
    done = hub.hubex(*arguments, "--vhost", "other")
    assert done.returncode == 2 and "'other'" in done.stderr


# ---- with the hub at work ------------------------------------------------------------------------


def test_the_hub_parks_reports_and_decides_a_replay_anew(
    cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Hub(cluster, tmp_path_factory.mktemp("working"), CLIENTS, vhost="parked-working") as hub:
        hub.apply()
        hub.start()
        samu, sdis = hub.party(A), hub.party(S)
        # An unknown key is parked by the hub itself (ACCEPTANCE 30).
        lost = body_of()
        hub.admin.publish("hubsante", "fr.health.nobody.out.message", lost, Properties(content_type="application/json"))
        wait_until("it is parked", lambda: hub.admin.depth(PARKED) == 1)
        (unknown,) = ids(hub, "--reason", names.REASON_UNKNOWN_KEY)
        assert json.loads(lost)["distributionID"] in parked(hub, "show", unknown).stdout
        # A replayed message is delivered, marked, byte for byte; one that has expired is refused.
        good, late = body_of(), body_of(expires_in_seconds=-10)
        park(hub, good, headers={"mine": "kept"})
        park(hub, late)
        done = parked(hub, "replay", "--all")
        assert done.returncode == 1 and done.stdout.endswith("2 replayed, 1 still parked\n"), done
        assert samu.receives(good, marked=True).headers["mine"] == "kept"
        sdis.reported(400, json.loads(late)["distributionID"], marked=True)
        assert ids(hub) == [unknown]
        assert parked(hub, "drop", unknown).returncode == 0
        hub.quiet(samu, sdis)
        assert hub.stop() == 0, hub.tail()
        assert hub.waiting() == {} and hub.admin.depth(PARKED) == 0
