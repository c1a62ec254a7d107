"""A real Prometheus and Alertmanager page by webhook and mail, with the runbook's link, and say when it is over
(issue 7, "Must be shown" 1)."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bench.procstat import tree
from deploy.local import LocalCluster
from router.core.directory import Client, Format
from tests.observability.deployed import PROMETHEUS, load, needs_monitoring
from tests.support.amqp import Properties
from tests.support.hub import FENCE, A, Hub, S, wait_until
from tests.support.messages import encoded
from tests.support.monitoring import PAGE_SECONDS, Alert, Receivers, monitoring

pytestmark = needs_monitoring
RUNBOOKS = load(PROMETHEUS / "prometheus.yml")["global"]["external_labels"]["runbooks"]
CLIENTS = (Client(A), Client(S, format=Format.JSON), Client(FENCE))


@pytest.fixture(scope="module")
def hub(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(cluster, tmp_path_factory.mktemp("hub"), CLIENTS, vhost="pages") as running:
        running.apply()
        running.start()
        yield running
        running.remove()


@pytest.fixture(scope="module")
def receivers(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    with monitoring(tmp_path_factory.mktemp("monitoring"), hub.http_port, hub.cluster.prometheus_port) as running:
        running.wait("watchdog", "Watchdog", "firing")
        yield running


def check(alert: Alert, name: str, severity: str, **labels: str) -> None:
    """It has its runbook's link and the labels, and its sentence has their values."""
    assert alert["annotations"]["runbook_url"] == f"{RUNBOOKS}#{name.lower()}"
    assert alert["labels"] | {"severity": severity, "site": "hub"} | labels == alert["labels"]
    assert "runbooks" not in alert["labels"]
    assert all(value in alert["annotations"]["summary"] for value in labels.values())


def test_a_stopped_recipient(hub: Hub, receivers: Receivers) -> None:
    name, a, s = "HubInboxWithoutConsumer", hub.party(A), hub.party(S)
    inbox = s.inbox("message")
    s.amqp.consume(inbox)
    s.close()  # it was there, and is gone
    payload = a.send(a.message(s))
    for receiver in ("pager", "partners"):
        alert = receivers.wait(receiver, name, "firing", vhost=hub.vhost, queue=inbox)
        check(alert, name, "critical", vhost=hub.vhost, queue=inbox)
    s.receives(payload)
    receivers.wait("pager", name, "resolved", vhost=hub.vhost, queue=inbox)


def test_a_parked_message(hub: Hub, receivers: Receivers) -> None:
    a = hub.party(A)
    persistent = Properties(content_type="application/json", delivery_mode=2)
    hub.admin.publish("hubsante", "fr.fire.nobody.out.message", encoded(a.message(A)), persistent)
    assert hub.admin.confirm()
    for receiver, name in (("hub", "HubMessageParked"), ("partners", "HubUnknownKey")):
        check(receivers.wait(receiver, name, "firing", vhost=hub.vhost), name, "warning", vhost=hub.vhost)
    mail = receivers.wait_mail("exploitation@hub.example", "HubMessageParked")
    assert f"{RUNBOOKS}#hubmessageparked" in mail
    listed = hub.hubex("parked", "list", "--config", str(hub.config)).stdout
    (parked,) = (line.split()[0] for line in listed.splitlines() if "unknown_key" in line)
    dropped = hub.hubex("parked", "drop", parked, "--config", str(hub.config))
    assert dropped.returncode == 0, dropped.stderr
    receivers.wait("hub", "HubMessageParked", "resolved", vhost=hub.vhost)


def test_workers_killed_for_good(hub: Hub, receivers: Receivers) -> None:
    assert hub.process is not None
    paged: list[Alert] = []
    end = time.monotonic() + PAGE_SECONDS
    while not paged and time.monotonic() < end:
        for worker in tree(hub.process.pid)[1:]:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        time.sleep(0.1)
        paged = [
            alert
            for alert in list(receivers.alerts)
            if (alert["receiver"], alert["labels"]["alertname"]) == ("pager", "HubNoActiveWorker")
        ]
    assert paged, "no page"
    check(paged[0], "HubNoActiveWorker", "critical", instance=f"127.0.0.1:{hub.http_port}")
    wait_until("the hub is ready again", lambda: hub.get("/readyz")[0] == 200, 60.0)
    receivers.wait("pager", "HubNoActiveWorker", "resolved")
