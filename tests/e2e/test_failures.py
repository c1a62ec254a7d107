"""What goes wrong around the hub: bad configuration, a broker that is not there or does not let it in, a full disk, a
full inbox; and what is done to it under load: a reload, a stop."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import LocalCluster
from router.core.directory import Client
from router.core.shards import TopologyVersion
from router.settings.topology_file import write_topology
from tests.support.hub import A2, CLIENTS, SHARDS, A, Hub, S, removed_afterwards, wait_until
from tests.support.load import Load
from tests.support.messages import encoded
from tests.support.party import error_of, is_marked

VHOST = "failures"
SENDERS = tuple(f"fr.health.samu{number:03d}" for number in range(1, 5))


@pytest.fixture(scope="module", autouse=True)
def _leave_nothing(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests share a vhost, which is there as soon as one has applied its topology."""
    yield
    Hub(cluster, tmp_path_factory.mktemp("last"), vhost=VHOST).remove()


def one_line(hub: Hub, *command: str, **environment: str) -> str:
    """What a command says that cannot work: one line, exit code 2."""
    done = hub.hubex(*command, "--config", str(hub.config), **environment)
    assert done.returncode == 2, done
    assert done.stderr.startswith("hubex: ") and done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def why(hub: Hub) -> str:
    """Why it is not ready, by its own page."""
    status, text = hub.get("/readyz")
    if status == 0:
        return ""
    answer = json.loads(text)
    assert (status == 503) is not answer["ready"]
    return "; ".join(worker["why"] for worker in answer["workers"] if worker["why"])


def waits_visibly(hub: Hub) -> str:
    """It is alive, not ready, says why on its page and in its log, and tries again, ever more rarely."""
    downs = wait_until(
        "three attempts of a worker",
        lambda: found if len(found := hub.events("notice", name="session_down", worker=0)) >= 3 else None,
    )
    assert hub.get("/livez")[0] == 200
    assert hub.events("notice", name="session_ready") == []
    assert all(down["level"] == "warning" and down["text"] for down in downs)
    assert hub.events("notice", name="worker_ended") == [], "it waits, it does not die"
    return why(hub)


# ---- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("run",), ("topology", "apply"), ("topology", "plan")])
def test_an_unknown_key_is_one_line(cluster: LocalCluster, tmp_path: Path, command: tuple[str, ...]) -> None:
    hub = Hub(cluster, tmp_path, vhost=VHOST, workers={"cuont": 2})
    line = one_line(hub, *command)
    assert "workers.cuont" in line and "count" in line


def test_a_wrong_value_and_a_wrong_environment_are_one_line(cluster: LocalCluster, tmp_path: Path) -> None:
    hub = Hub(cluster, tmp_path, vhost=VHOST, workers={"count": "many"})
    assert "workers.count" in one_line(hub, "run")
    hub = Hub(cluster, tmp_path, vhost=VHOST)
    assert "cuont" in one_line(hub, "run", HUBEX_WORKERS__CUONT="2").lower()


def test_a_bad_directory_is_one_line(cluster: LocalCluster, tmp_path: Path) -> None:
    hub = Hub(cluster, tmp_path, vhost=VHOST)
    (tmp_path / "clients.toml").write_text('[[client]]\nid = "fr.health.A"\n[[client]]\nid = "hub.x"\n')
    line = one_line(hub, "run")
    assert "fr.health.A" in line and "hub.x" in line


def test_a_vhost_without_topology_is_one_line(cluster: LocalCluster, tmp_path: Path) -> None:
    hub = Hub(cluster, tmp_path, vhost="nowhere")
    assert "hubex topology apply" in one_line(hub, "run")
    write_topology(tmp_path / "topology.json", {"another": TopologyVersion(1, SHARDS, {}, None)})
    line = one_line(hub, "run")
    assert "nowhere" in line and "hubex topology apply" in line


# ---- the broker ----------------------------------------------------------------------------------


def test_a_vhost_that_the_broker_does_not_have_is_waited_for(cluster: LocalCluster, tmp_path: Path) -> None:
    with Hub(cluster, tmp_path, vhost="failures-later") as hub, removed_afterwards(hub):
        write_topology(tmp_path / "topology.json", {hub.vhost: TopologyVersion(1, SHARDS, {}, None)})
        hub.start(ready=False)
        text = waits_visibly(hub)
        assert hub.vhost in text and "refuses the vhost" in text
        hub.apply()
        hub.wait_ready()
        hub.party(A2).receives(hub.party(A).send(hub.party(A).message(A2)))
        assert hub.stop() == 0


def test_a_wrong_password_is_waited_out_and_never_shown(cluster: LocalCluster, tmp_path: Path) -> None:
    secret = "not-the-password-4711"
    (tmp_path / "secret").write_text(secret)
    wrong = {"password_file": str(tmp_path / "secret")}
    with Hub(cluster, tmp_path, vhost=VHOST, broker=wrong) as hub:
        hub.apply()
        hub.start(ready=False)
        text = waits_visibly(hub)
        assert "refuses the login: wrong password" in text
        shown = hub.log.read_text() + hub.output.read_text() + hub.get("/readyz")[1] + hub.get("/metrics")[1]
        assert secret not in shown
        assert hub.stop() == 0
    hub = Hub(cluster, tmp_path, vhost=VHOST, management=wrong)
    assert secret not in one_line(hub, "topology", "apply")


def test_a_broker_that_is_down_at_the_start_is_waited_for(cluster: LocalCluster, tmp_path: Path) -> None:
    with Hub(cluster, tmp_path, vhost=VHOST) as hub:
        hub.apply()
        cluster.kill9()
        try:
            hub.start(ready=False)
            text = waits_visibly(hub)
            assert f"no broker answers at 127.0.0.1:{cluster.amqp_port}: Connection refused" in text
            line = one_line(hub, "topology", "apply")
            assert cluster.management_url in line
        finally:
            cluster.up()
        hub.wait_ready()
        assert why(hub) == ""
        hub.party(A2).receives(hub.party(A).send(hub.party(A).message(A2)))
        hub.nothing_waits()
        assert hub.stop() == 0


# ---- disks and limits ----------------------------------------------------------------------------


def test_a_full_disk_for_logs_stops_no_message(cluster: LocalCluster, tmp_path: Path) -> None:
    with Hub(cluster, tmp_path, vhost=VHOST, log={"target": "/dev/full"}) as hub:
        hub.apply()
        hub.start()
        a, b = hub.party(A), hub.party(A2)
        for _ in range(20):
            b.receives(a.send(a.message(b)))
        refused = a.message("fr.health.nobody")
        a.send(refused)
        a.reported(501, refused["distributionID"])
        hub.quiet(a, b)
        # 22 messages and 6 fences of each kind of line, and what the workers tell of themselves.
        wait_until("lost lines are counted", lambda: hub.metric("hubex_log_lines_lost_total") >= 44)
        wait_until("its own too", lambda: hub.metric("hubex_supervisor_log_lines_lost_total") >= 1)
        assert "No space left on device" in hub.output.read_text()
        assert hub.get("/readyz")[0] == 200
        assert hub.stop() == 0
        assert hub.waiting() == {}


class Policies:
    """Policies above the hub's own, for a while: each a copy of one of those for one queue, with more in it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._made: list[str] = []

    def __enter__(self) -> "Policies":
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            self._hub.management.delete("policies", self._hub.vhost, name)

    def change(self, queue: str, policy: str, **more: Any) -> None:
        api, vhost = self._hub.management, self._hub.vhost
        definition = api.get("policies", vhost, policy)["definition"] | more
        body = {
            "pattern": f"^{queue.replace('.', '[.]')}$",
            "apply-to": "queues",
            "priority": 1000,
            "definition": definition,
        }
        api.put("policies", vhost, f"test-{queue}", body=body)
        self._made.append(f"test-{queue}")


def test_an_inbox_of_ten_under_a_thousand_sends(cluster: LocalCluster, tmp_path: Path) -> None:
    """Every message is delivered, or parked and reported; none both, none twice."""
    with Hub(cluster, tmp_path, vhost=VHOST) as hub, Policies(hub) as policies:
        hub.apply()
        full = hub.party(S)
        policies.change(full.inbox("message"), "hub-inbox", **{"max-length": 10})
        # The ladder as it is, but in seconds instead of 71.
        for rung, ttl_ms in (("1s", 100), ("10s", 200), ("60s", 400)):
            policies.change(f"hub.retry.{rung}", f"hub-rung-{rung}", **{"message-ttl": ttl_ms})
        hub.start()
        senders = [hub.party(sender) for sender in SENDERS]
        sent: dict[str, str] = {}
        for _ in range(25):
            for sender in senders:
                for _ in range(10):
                    body = sender.message(full)
                    sender.publish(encoded(body))
                    sent[body["distributionID"]] = sender.id
            assert all(sender.amqp.confirm() for sender in senders)
        assert len(sent) == 1000
        admin = hub.admin
        reports = [sender.inbox("info") for sender in senders]
        wait_until(
            "each is in the inbox or parked, and each parked one reported",
            lambda: (
                admin.depth(full.inbox("message")) + admin.depth("hub.parked") >= 1000
                and sum(map(admin.depth, reports)) >= admin.depth("hub.parked")
            ),
            60.0,
        )
        retried = {event["distribution_id"] for event in hub.events("retried")}
        delivered: Counter[str] = Counter()
        for arrived in full.take_many("message", admin.depth(full.inbox("message"))):
            identifier = json.loads(arrived.body)["distributionID"]
            assert is_marked(arrived) is (identifier in retried)
            delivered[identifier] += 1
        parked: Counter[str] = Counter()
        for each in admin.take_many("hub.parked", 1000 - delivered.total()):
            assert each.headers["x-hub-reason"] == "publish_nacked"
            assert each.headers["x-hub-history"].count("publish_nacked") == 4  # three rungs, and the end of them
            parked[json.loads(each.body)["distributionID"]] += 1
        reported: Counter[str] = Counter()
        for sender in senders:
            for report in sender.take_many("info", admin.depth(sender.inbox("info"))):
                error = error_of(json.loads(report.body))
                assert error["errorCode"]["statusCode"] == 500
                assert "parked" in error["errorCause"] and "may still be delivered" in error["errorCause"]
                assert sent[error["referencedDistributionID"]] == sender.id
                reported[error["referencedDistributionID"]] += 1
        assert delivered + parked == Counter(sent.keys()), "missing, twice, or both delivered and parked"
        assert reported == parked
        assert 10 <= delivered.total() < 500, "the limit did not hold"
        # The inbox has room again, and its client gets what comes.
        full.receives(senders[0].send(senders[0].message(full)))
        hub.quiet(*senders, full)
        assert hub.stop() == 0
        assert hub.waiting() == {} and hub.clear() == {}


# ---- under load ----------------------------------------------------------------------------------


def test_a_reload_drops_no_message(cluster: LocalCluster, tmp_path: Path) -> None:
    # A vhost of its own: to take a client out of one again is a matter of half a minute.
    with Hub(cluster, tmp_path, vhost="failures-reload") as hub, removed_afterwards(hub):
        hub.apply()
        hub.start()
        new = Client("fr.health.newcomer")
        with Load([hub.party(sender) for sender in SENDERS], hub.party(A)) as load:
            wait_until("load", lambda: load.confirmed >= 200)
            hub.write_clients((*CLIENTS, new))
            assert new.id in hub.apply()
            newcomer, b = hub.party(new.id), hub.party(A2)
            # The broker lets it send already; the hub does not know it yet, and gives the reload some time.
            early = newcomer.send(newcomer.message(b))
            hub.wait_event("retried", key=newcomer.key("message"))
            before = load.confirmed
            hub.signal(signal.SIGHUP)
            wait_until("both workers reloaded", lambda: len(hub.events("notice", name="reloaded")) == 2)
            b.receives(early, marked=True)
            newcomer.receives(b.send(b.message(newcomer)))
            b.receives(newcomer.send(newcomer.message(b)))
            wait_until("more load", lambda: load.confirmed >= before + 200)
        verdict = load.verdict()
        assert verdict.ok and verdict.in_order, verdict
        assert (verdict.delivered, verdict.reported, verdict.marked_duplicates) == (load.confirmed, 0, 0), verdict
        hub.quiet(newcomer, b, *(hub.party(sender) for sender in SENDERS))
        # A directory that cannot be used is refused whole, and the old one stays in force.
        (tmp_path / "clients.toml").write_text('[[client]]\nid = "Bad Id"\n')
        hub.signal(signal.SIGHUP)
        wait_until("both workers refuse", lambda: len(hub.events("notice", name="reload_refused")) == 2)
        b.receives(newcomer.send(newcomer.message(b)))
        assert hub.get("/readyz")[0] == 200
        assert hub.events("notice", name="session_down") == [] and hub.events("received", redelivered=True) == []
        assert hub.stop() == 0
        assert hub.waiting() == {}


@pytest.mark.parametrize("signals", [1, 2], ids=["drain", "close-at-once"])
def test_a_stop_under_load_loses_nothing(cluster: LocalCluster, tmp_path: Path, signals: int) -> None:
    with Hub(cluster, tmp_path, vhost=VHOST) as hub:
        hub.apply()
        hub.start()
        a = hub.party(A)
        with Load([hub.party(sender) for sender in SENDERS], a) as load:
            wait_until("load", lambda: load.confirmed >= 400)
            hub.signal(signal.SIGTERM)
            if signals == 2:
                hub.wait_event("notice", name="hub_stopping")
                hub.signal(signal.SIGTERM)
            code = hub.wait(15.0)
            # The senders do not notice: the shards take it.
            before = load.confirmed
            wait_until("more load", lambda: load.confirmed >= before + 200)
            with load.held():
                assert sum(hub.waiting().values()) >= 200
                hub.start()
            before = load.confirmed
            wait_until("and more", lambda: load.confirmed >= before + 200)
        verdict = load.verdict()
        assert verdict.ok, verdict
        assert (verdict.delivered, verdict.reported) == (load.confirmed, 0), verdict
        if signals == 1:
            assert code == 0, hub.tail()
            assert verdict.in_order and verdict.marked_duplicates == 0, verdict
        hub.quiet(a, *(hub.party(sender) for sender in SENDERS))
        assert hub.stop() == 0
        assert hub.waiting() == {} and hub.clear() == {}
