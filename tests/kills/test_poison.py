"""One poison message among many neighbours at full prefetch (issue 2, "Must be shown" 5; DELIVERY.md 6)."""

import json
from collections.abc import Callable

from router.core import names
from router.core.directory import Client
from router.topology.management import Management
from tests.kills.conftest import Hub
from tests.support.amqp import Amqp, Properties
from tests.support.messages import encoded, message
from tests.support.sabotage.poisoned import POISON

CLIENTS = 20
MESSAGES = 1000


def parked(api: Management, vhost: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.post(
        "queues", vhost, names.PARKED, "get", body={"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}
    )
    return found


def log_in(hub: Hub, client: Client) -> Amqp:
    target = hub.bench.target
    return Amqp(target.address.host, target.address.port, target.address.vhost, client.id, target.clients_password)


def test_exactly_the_poison_is_parked(make_hub: Callable[[int], Hub]) -> None:
    hub = make_hub(CLIENTS + 1)
    *neighbours, killer = hub.clients
    poison = message(killer.id, neighbours[0].id)
    poison["descriptor"]["explicitAddress"]["explicitAddressScheme"] = POISON.decode()
    with hub.load(neighbours, count=MESSAGES, rate=2000.0, read_live=False) as load:
        load.start()
        load.wait_confirmed(MESSAGES // 3)
        with log_in(hub, killer) as amqp:
            properties = Properties(content_type="application/json", delivery_mode=2)
            amqp.publish(names.ENTRANCE, killer.publish_keys[0], encoded(poison), properties)
            assert amqp.confirm()
        load.wait_sent(30.0)
        with hub.run("poisoned"):
            verdict = load.finish(hub.idle)
            with log_in(hub, killer) as amqp:
                report = amqp.take(killer.inbox("info"), 60.0)
    assert verdict.ok, verdict.faults
    assert verdict.delivered == verdict.confirmed == MESSAGES
    assert report is not None
    error = json.loads(report.body)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]["error"]
    assert error["errorCode"]["statusCode"] == 500
    assert error["referencedDistributionID"] == poison["distributionID"]
    assert "poison" in error["errorCause"]
    found = parked(hub.bench.api, hub.bench.vhost)
    assert len(found) == 1
    headers = found[0]["properties"]["headers"]  # type: ignore[index]
    assert headers[names.HEADER_REASON] == names.REASON_POISON
    assert headers[names.HEADER_REFERENCE] == poison["distributionID"]
