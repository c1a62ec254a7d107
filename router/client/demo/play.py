"""The ten steps of the presentation (PROTOCOL.md), played by two clients and told as they happen.

Law: each step is shown on evidence only. Of what the clients do (1, 5, 6, 10) it is the broker's answer or
delivery; of what happens inside (2 to 4, 7 to 9) it is the hub's own event log. A step without evidence
within 10 s of its publish is missing, and the play ends there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiormq.abc import AbstractChannel
from msgspec import Struct

from router.client.bodies import summary
from router.client.connect import RPC_TIMEOUT_SECONDS, ClientError, Login, client_in, client_login, connected, refusals
from router.client.demo.log_tail import LogLine, LogTail
from router.client.ending import ended
from router.client.inboxes import Inboxes, Received
from router.client.printable import printable
from router.client.recv import answer_to
from router.client.send import Sent, fresh_body, publish
from router.core import names
from router.core.directory import Client
from router.settings.config import Config

SDIS: Final = "fr.fire.nexsis.sdis-50"
SAMU: Final = "fr.health.hub.samu050"
LATE_SECONDS: Final = 10.0

_TAKEN: Final = frozenset({"received"})
_FORWARDED: Final = frozenset({"forwarded"})
_NOT_FORWARDED: Final = frozenset({"refused", "retried", "parked", "discarded"})

_STEPS: Final = {
    1: ("SDIS 50 publie le message", "SDIS 50 publishes"),
    2: ("l'échange le range chez le répartiteur", "the exchange queues it"),
    3: ("le répartiteur le prend", "the dispatcher takes it"),
    4: ("le répartiteur le publie pour SAMU 50", "the dispatcher forwards it"),
    5: ("SAMU 50 le prend", "SAMU 50 takes it"),
    6: ("SAMU 50 publie l'acquittement", "SAMU 50 acknowledges"),
    7: ("l'échange le range chez le répartiteur", "the exchange queues it"),
    8: ("le répartiteur le prend", "the dispatcher takes it"),
    9: ("le répartiteur le publie pour SDIS 50", "the dispatcher forwards it"),
    10: ("SDIS 50 prend l'acquittement", "SDIS 50 takes it"),
}


class StepMissing(ClientError):
    """A step did not happen in time."""

    def __init__(self, number: int, what: str) -> None:
        french, english = _STEPS[number]
        super().__init__(f"step {number} is missing ({french} / {english}): {what}")
        self.number = number


def step_line(number: int, queue: str, latency: str, identifier: str) -> str:
    """A step as it is shown: begins with its number. Pure."""
    french, english = _STEPS[number]
    return f"{number:<3} {f'{french} / {english}':<68} {queue:<42} {latency:>10}  {printable(identifier)}"


class _Party(Struct, frozen=True):
    """One of the two clients, connected."""

    client: Client
    login: Login
    channel: AbstractChannel
    inboxes: Inboxes


async def play(config: Config, body: bytes, log: LogTail, show: Callable[[str], None]) -> None:
    """Plays the exchange with `body` (an RC-EDA; it gets a fresh identity). Raises StepMissing, ClientError.

    What lies in the two clients' inboxes from before is shown and acknowledged.
    """
    async with AsyncExitStack() as stack:
        sdis = await _joined(stack, config, SDIS)
        samu = await _joined(stack, config, SAMU)
        message = fresh_body(body, SDIS, SAMU)
        received = await _Leg(1, sdis, samu, names.MESSAGE, message, log, show).play()
        await _Leg(6, samu, sdis, names.ACK, answer_to(received, SAMU), log, show).play()


async def _joined(stack: AsyncExitStack, config: Config, client_id: str) -> _Party:
    client, directory = client_in(config, client_id)
    login = client_login(config, client_id, directory.vhost)
    connection = await stack.enter_async_context(connected(login))
    async with refusals(login):
        channel = await connection.channel(timeout=RPC_TIMEOUT_SECONDS)
    inboxes = await stack.enter_async_context(Inboxes(connection, login, client))
    return _Party(client, login, channel, inboxes)


class _Leg:
    """Five steps: from a publish to the recipient's hands."""

    def __init__(
        self,
        first: int,
        sender: _Party,
        recipient: _Party,
        kind: str,
        body: bytes,
        log: LogTail,
        show: Callable[[str], None],
    ) -> None:
        self._first, self._sender, self._recipient = first, sender, recipient
        self._kind, self._body, self._log, self._show = kind, body, log, show
        self._inbox = recipient.client.inbox(kind)
        self._started = 0.0
        self._deadline = 0.0

    async def play(self) -> Received:
        """Shows the five steps; returns what the recipient took. Raises StepMissing, ClientError."""
        identifier = summary(self._body).distribution_id
        self._started = time.time()
        self._deadline = asyncio.get_running_loop().time() + LATE_SECONDS
        sender = self._sender
        async with _watched(
            publish(sender.channel, sender.login, sender.client, self._kind, self._body),
            self._log.find(identifier, _TAKEN),
            self._log.find(identifier, _FORWARDED | _NOT_FORWARDED),
            self._arrival(identifier),
        ) as (publishing, taking, forwarding, arriving):
            sent: Sent = await self._step(0, publishing, "the broker did not confirm the publish")
            self._tell(0, sent.key, sent.latency_ms, identifier)
            taken: LogLine = await self._step(1, taking, "the hub's log has no line `received` for it")
            taken_ms = self._since(taken.at.timestamp() if taken.at else 0.0)
            # It was in the queue when the broker confirmed it, and before the dispatcher took it.
            self._tell(1, taken.queue, min(sent.latency_ms, taken_ms), identifier, "≤ ")
            self._tell(2, taken.queue, taken_ms, identifier)
            forwarded: LogLine = await self._step(3, forwarding, "the hub's log has no line `forwarded` for it")
            if forwarded.event not in _FORWARDED:
                why = f"the hub has {forwarded.event} it ({forwarded.status_code or ''} {forwarded.reason})"
                raise StepMissing(self._first + 3, why)
            self._tell(3, forwarded.queue, taken_ms + forwarded.latency_ms, identifier)
            received: Received = await self._step(4, arriving, f"nothing came out of {self._inbox}")
            self._tell(4, received.queue, self._since(received.arrived_at), received.read.distribution_id)
            return received

    async def _arrival(self, identifier: str) -> Received:
        """The message in the recipient's inbox, acknowledged."""
        while True:
            received = await self._recipient.inboxes.next()
            await self._recipient.inboxes.done(received)
            if received.read.distribution_id == identifier and received.queue == self._inbox:
                return received
            left = printable(received.read.distribution_id)
            self._show(f"    (reste d'un essai précédent / left from before: {received.queue} {left})")

    async def _step(self, offset: int, task: asyncio.Task[Any], what: str) -> Any:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asyncio.shield(task)
        except TimeoutError:
            raise StepMissing(self._first + offset, f"{what} in {LATE_SECONDS:.0f} s") from None

    def _tell(self, offset: int, queue: str, latency_ms: float, identifier: str, bound: str = "") -> None:
        self._show(step_line(self._first + offset, queue, f"{bound}{latency_ms:.1f} ms", identifier))

    def _since(self, moment_seconds: float) -> float:
        return max(0.0, (moment_seconds - self._started) * 1000)


@asynccontextmanager
async def _watched(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """All of it under way at once, so that showing the steps in their order delays none; ended at the end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        await ended(*tasks)
