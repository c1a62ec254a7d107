"""Receiving as a client: print, acknowledge, and with `ack` answer the sender by RC-REF (PROTOCOL.md).

Law: a message is acknowledged technically after it was printed and, where asked, after its functional
acknowledgement was confirmed by the broker. Acknowledgements and error reports are never acknowledged.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from aiormq.abc import AbstractChannel

from router.client.acknowledgement import acknowledgement
from router.client.connect import RPC_TIMEOUT_SECONDS, Login, client_in, client_login, connected, refusals
from router.client.inboxes import Inboxes, Received
from router.client.printable import printable, printable_body
from router.client.send import Sent, publish
from router.core import names
from router.core.directory import Client
from router.settings.config import Config


async def receive(
    config: Config,
    client_id: str,
    show: Callable[[str], None],
    *,
    ack: bool = False,
    body: bool = False,
    count: int = 0,
    timeout_seconds: float | None = None,
    vhost: str = "",
) -> int:
    """Reads the client's inboxes until `count` messages (0: no end) or the time is up; how many it settled.

    `show` gets the text for each message. Raises ClientError (BrokerRefusal), SettingsError; a cancel closes
    cleanly, and what was not settled goes back to its queue.
    """
    client, directory = client_in(config, client_id, vhost)
    login = client_login(config, client_id, directory.vhost)
    settled = 0
    async with connected(login) as connection, Inboxes(connection, login, client) as inboxes:
        async with refusals(login):
            channel = await connection.channel(timeout=RPC_TIMEOUT_SECONDS)
        loop = asyncio.get_running_loop()
        deadline = None if timeout_seconds is None else loop.time() + timeout_seconds
        while not count or settled < count:
            try:
                async with asyncio.timeout_at(deadline):
                    received = await inboxes.next()
            except TimeoutError:
                break
            show(shown(received, datetime.now().astimezone(), body))
            if ack and received.kind == names.MESSAGE:
                show(await _answer(channel, login, client, received))
            await inboxes.done(received)
            settled += 1
    return settled


async def _answer(channel: AbstractChannel, login: Login, client: Client, received: Received) -> str:
    try:
        sent = await acknowledge(channel, login, client, received)
    except ValueError as error:
        return f"  not acknowledged: {error}"
    return f"  acknowledged to {printable(sent.recipient)}: RC-REF {sent.distribution_id} ({sent.latency_ms:.1f} ms)"


async def acknowledge(channel: AbstractChannel, login: Login, client: Client, received: Received) -> Sent:
    """Sends the functional acknowledgement "RECU" and waits for the confirm.

    Raises ValueError when the message names nobody to answer, BrokerRefusal.
    """
    return await publish(channel, login, client, names.ACK, answer_to(received, client.id))


def answer_to(received: Received, own_id: str) -> bytes:
    """The functional acknowledgement of a message. Raises ValueError when it names nobody to answer."""
    return acknowledgement(received.read, own_id, str(uuid4()), datetime.now().astimezone())[1]


def shown(received: Received, now: datetime, body: bool) -> str:
    """One message as a person reads it. Pure. No payload but the ids, unless `body`."""
    read = received.read
    facts = (
        now.strftime("%H:%M:%S"),
        received.queue,
        read.use_case or "?",
        read.distribution_kind or "?",
        read.distribution_id or names.NO_REFERENCE,
        f"from {read.sender}" if read.sender else "",
        f"({read.about})" if read.about else "",
        "POSSIBLE DUPLICATE" if received.marked else "",
        "redelivered" if received.redelivered else "",
    )
    line = "  ".join(printable(fact) for fact in facts if fact)
    return f"{line}\n{printable_body(received.body)}" if body else line
