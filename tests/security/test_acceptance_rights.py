"""ACCEPTANCE.md 18 and 19: what the broker refuses a client, and that nothing comes of the attempt."""

from collections.abc import Callable

import pytest
from pamqp.commands import Exchange, Queue

from tests.support.amqp import ACCESS_REFUSED, Amqp, Closed, Properties
from tests.support.hub import A2, INPUT_QUEUES, PARTNER, A, Hub, S
from tests.support.messages import encoded
from tests.support.party import KINDS

pytest_plugins = ("tests.support.acceptance",)

PERSISTENT = Properties(content_type="application/json", delivery_mode=2)
OTHERS_KEYS = (
    A2,  # the whole key of a flat client
    f"{S}.out.message",
    f"{A}0.out.message",  # a longer id that begins with one's own
    f"{A}.out.messages",
    f"x.{A}.out.message",
    A.replace(".", "x") + ".out.message",  # dots of a right are dots
    f"{A}.in.message",
    f"{A}.out",
    A,
    "",
    "#",
    f"{A}.out.*",
)


@pytest.mark.parametrize("key", OTHERS_KEYS)
def test_18_a_key_that_is_not_ones_own(hub: Hub, key: str) -> None:
    a, a2, s = hub.party(A), hub.party(A2), hub.party(S)
    a.publish(a.message(a2), key=key)
    with pytest.raises(Closed) as refused:
        a.amqp.confirm()
    assert refused.value.code == ACCESS_REFUSED
    hub.quiet(a, a2, s)
    assert hub.admin.depth("hub.parked") == 0


def test_18_a_flat_client_has_its_one_key(hub: Hub) -> None:
    a, a2 = hub.party(A), hub.party(A2)
    for key in (f"{A2}.out.message", f"{A2}.message", f"{A}.out.message", f"{A2}0"):
        a2.publish(a2.message(a), key=key)
        with pytest.raises(Closed) as refused:
            a2.amqp.confirm()
        assert refused.value.code == ACCESS_REFUSED, key
    hub.quiet(a, a2)


EXCHANGES = ("", "hub.inbox", "hub.shard", "hub.retry.1s", "hub.dead.inbox", "hub.parked", "hub.unknown", "amq.topic")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_18_an_exchange_that_is_not_the_entrance(hub: Hub, exchange: str) -> None:
    a, a2 = hub.party(A), hub.party(A2)
    a.amqp.publish(exchange, a2.inbox("message"), encoded(a.message(a2)), PERSISTENT)
    with pytest.raises(Closed) as refused:
        a.amqp.confirm()
    assert refused.value.code == ACCESS_REFUSED
    hub.quiet(a, a2)


def test_18_a_user_id_that_is_not_ones_own(hub: Hub) -> None:
    a, a2 = hub.party(A), hub.party(A2)
    a.publish(a.message(a2), user_id=A2)
    with pytest.raises(Closed):
        a.amqp.confirm()
    a2.receives(a.send(a.message(a2), user_id=A))  # one's own is allowed, and travels no further
    hub.quiet(a, a2)


def _get(amqp: Amqp, queue: str) -> None:
    amqp.get(queue)


def _consume(amqp: Amqp, queue: str) -> None:
    amqp.consume(queue)


def _purge(amqp: Amqp, queue: str) -> None:
    amqp.call(Queue.Purge(queue=queue))


def _delete(amqp: Amqp, queue: str) -> None:
    amqp.call(Queue.Delete(queue=queue))


def _declare_again(amqp: Amqp, queue: str) -> None:
    amqp.call(Queue.Declare(queue=queue, durable=True, arguments={"x-queue-type": "quorum"}))


def _bind(amqp: Amqp, queue: str) -> None:
    amqp.call(Queue.Bind(queue=queue, exchange="hubsante", routing_key="#"))


def _unbind(amqp: Amqp, queue: str) -> None:
    amqp.call(Queue.Unbind(queue=queue, exchange="hubsante", routing_key=f"{A}.out.message"))


@pytest.mark.parametrize("action", [_get, _consume, _purge, _delete, _declare_again, _bind, _unbind])
def test_19_anothers_inbox_is_out_of_reach(hub: Hub, action: Callable[[Amqp, str], None]) -> None:
    a, sender, victims = hub.party(A), hub.party("fr.health.samu001"), [hub.party(A2), hub.party(S), hub.party(PARTNER)]
    for victim in victims:
        sent = sender.send(sender.message(victim))
        hub.wait_event("forwarded", queue=victim.inbox("message"))
        for kind in KINDS:
            with pytest.raises(Closed) as refused:
                action(a.amqp, victim.inbox(kind))
            assert refused.value.code == ACCESS_REFUSED
        assert not victim.receives(sent).redelivered
    hub.quiet(a, sender, *victims)


# To purge one's own inbox is to read it, for the broker.
@pytest.mark.parametrize("action", [_delete, _declare_again, _bind, _unbind])
def test_19_nor_may_it_change_its_own(hub: Hub, action: Callable[[Amqp, str], None]) -> None:
    a, a2 = hub.party(A), hub.party(A2)
    for kind in KINDS:
        with pytest.raises(Closed) as refused:
            action(a.amqp, a.inbox(kind))
        assert refused.value.code == ACCESS_REFUSED
    a.receives(a2.send(a2.message(a)))
    hub.quiet(a, a2)


@pytest.mark.parametrize("queue", [*INPUT_QUEUES, "hub.parked", "hub.probe"])
def test_19_the_hubs_own_queues_are_out_of_reach(hub: Hub, queue: str) -> None:
    a = hub.party(A)
    for action in (_get, _consume, _purge, _delete, _declare_again, _bind, _unbind):
        with pytest.raises(Closed) as refused:
            action(a.amqp, queue)
        assert refused.value.code == ACCESS_REFUSED, action


def test_19_a_client_declares_nothing(hub: Hub) -> None:
    a = hub.party(A)
    attempts = (
        Queue.Declare(queue="mine"),
        Queue.Declare(queue="", exclusive=True),
        Queue.Declare(queue=f"{A}.in.mine"),
        Exchange.Declare(exchange="mine", exchange_type="topic"),
        Exchange.Declare(exchange="hubsante", exchange_type="topic", durable=True),
        Exchange.Delete(exchange="hubsante"),
        Exchange.Bind(destination="hubsante", source="hub.shard", routing_key="dispatch.00"),
        Exchange.Bind(destination="hub.inbox", source="hubsante", routing_key="#"),
        Queue.Bind(queue=a.inbox("message"), exchange="hub.inbox", routing_key=f"{A2}.message"),
        Queue.Bind(queue="dispatch.00", exchange="hubsante", routing_key=f"{A2}.out.message"),
    )
    for attempt in attempts:
        with pytest.raises(Closed) as refused:
            a.amqp.call(attempt)
        assert refused.value.code == ACCESS_REFUSED, attempt
    hub.quiet(a)


def test_19_a_wrong_password_or_a_stranger_is_not_let_in(hub: Hub) -> None:
    cluster = hub.cluster
    for user, password in ((A, "wrong"), (A, ""), ("fr.health.stranger", cluster.clients_password), ("guest", "guest")):
        with pytest.raises(Closed) as refused:
            Amqp(cluster.address, cluster.amqp_port, hub.vhost, user, password)
        assert refused.value.code == ACCESS_REFUSED
