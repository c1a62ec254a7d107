"""The recipients of a run, in a process of their own: `python -m bench.recipients`, steered by `bench.run`.

Law: an inbox is read to its end, and the end is proven: a fence is published straight into it, confirmed, and
everything before it has been read when it comes. What a recipient reads twice because its own connection broke is no
copy.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Final

from bench.amqp import Publisher, Reader, look, properties
from bench.job import Mailbox, ReadJob
from bench.journal import NOWHERE, JournalWriter, Kind
from bench.reading import fingerprint, read
from bench.steering import END, FENCE, STATUS_SECONDS, Steering, main, tell
from router.core.errors import BrokerError
from router.core.names import INBOX_EXCHANGE, PARKED

BACK_OFF_SECONDS: Final = 0.3
CONNECTING_AT_ONCE: Final = 8
FENCE_BODY: Final = b'{"fence":'
FENCE_CONFIRM_SECONDS: Final = 10.0


class Reread:
    """Tells what was read before the last break of a connection from what is new. One for each inbox.

    A broker that dies gives again what it had given and whose acknowledgement it did not store.
    """

    def __init__(self) -> None:
        self._before: set[int] = set()
        self._now: set[int] = set()

    def broken(self) -> None:
        """The connection broke: everything read so far may come again, once."""
        self._before |= self._now
        self._now.clear()

    def is_again(self, raw_properties: bytes, digest: int) -> bool:
        entry = hash(fingerprint(raw_properties, digest))
        self._now.add(entry)
        if entry in self._before:
            self._before.discard(entry)
            return True
        return False


class Recipients:
    """Everybody's inboxes."""

    def __init__(self, job: ReadJob) -> None:
        self.job = job
        self._journal = JournalWriter(Path(job.journal))
        self._clients = {client: index for index, client in enumerate(job.reports)}
        self._places = {queue: index for index, queue in enumerate(job.inboxes)}
        self._reread = {queue: Reread() for queue in job.inboxes}
        self._fence = FENCE_BODY + os.urandom(8).hex().encode().join((b'"', b'"}'))
        self._fenced: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._connected: set[str] = set()
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._why = "not connected yet"

    async def run(self, steering: Steering) -> None:
        """Until fenced and read to the end, or told to end."""
        tasks = [asyncio.create_task(self._live(mailbox)) for mailbox in self.job.mailboxes]
        fencing: asyncio.Task[None] | None = None
        complete = False
        try:
            while not steering.said(END):
                self._tell()
                if steering.said(FENCE) and fencing is None:
                    fencing = asyncio.create_task(self._put_fences())
                if len(self._fenced) == len(self.job.inboxes):
                    await self._look_at_parked()
                    complete = True
                    break
                await steering.wait(STATUS_SECONDS)
        finally:
            for task in [*tasks, *([fencing] if fencing is not None else [])]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._journal.close()
        self._tell(done=complete)

    async def _live(self, mailbox: Mailbox) -> None:
        """Read one client's inboxes, and connect again, for ever."""
        address, password = self.job.target.address, self.job.target.clients_password
        while True:
            lost = asyncio.Event()

            def on_lost(why: str, lost: asyncio.Event = lost) -> None:
                self._why = why
                lost.set()

            reader = Reader(address.url(mailbox.user, password), self._take, on_lost)
            try:
                async with self._connecting:
                    await reader.open(mailbox.queues, self.job.prefetch)
                self._connected.add(mailbox.user)
                await lost.wait()
            except BrokerError as error:
                self._why = error.what
            finally:
                self._connected.discard(mailbox.user)
                await reader.close()
            for queue in mailbox.queues:
                self._reread[queue].broken()
            await asyncio.sleep(BACK_OFF_SECONDS)

    def _take(self, queue: str, raw_properties: bytes, body: bytes, _: bool) -> None:
        if body.startswith(FENCE_BODY):
            # Also a fence of an earlier run, which nobody waits for any more.
            if body == self._fence:
                self._fenced.add(queue)
            return
        arrival = read(raw_properties, body)
        if arrival is None:
            self._note(Kind.RECEIVED, NOWHERE, 0, self._places[queue])
        elif arrival.number < self.job.first_number:
            self._counts["leftovers"] += 1
        elif self._reread[queue].is_again(raw_properties, arrival.digest):
            self._counts["reread"] += 1
        else:
            client = self._clients.get(arrival.client, NOWHERE)
            place = self._places[queue]
            if not arrival.status_code:
                self._note(Kind.RECEIVED, client, arrival.number, place, arrival.digest, arrival.marked)
            elif queue == self.job.reports.get(arrival.client):
                self._note(Kind.REPORTED, client, arrival.number, arrival.status_code, 0, arrival.marked)
            else:
                # Somebody else got this client's report: for the ledger, a message in the wrong inbox.
                self._note(Kind.RECEIVED, client, arrival.number, place, 0, arrival.marked)

    def _note(self, kind: Kind, client: int, number: int, place: int, digest: int = 0, marked: bool = False) -> None:
        self._journal.add(kind, client, number, place, digest, marked)
        self._counts[kind.name.lower()] += 1

    # ---- the end ---------------------------------------------------------------------------------

    async def _put_fences(self) -> None:
        """One into each inbox that has none yet, until all are confirmed; a broken connection starts over."""
        target = self.job.target
        url = target.address.url(target.router_user, target.router_password)
        raw = properties("application/json", 2, "fence")
        missing = set(self.job.inboxes)
        while missing:
            answered = asyncio.Event()

            def on_confirm(queue: str, stored: bool, answered: asyncio.Event = answered) -> None:
                if stored:
                    missing.discard(queue)
                if not missing or not stored:
                    answered.set()

            publisher: Publisher[str] = Publisher(url, on_confirm, self._fencing_lost)
            try:
                await publisher.open()
                for queue in sorted(missing):
                    publisher.publish(INBOX_EXCHANGE, queue, raw, self._fence, queue)
                publisher.flush()
                await asyncio.wait_for(answered.wait(), FENCE_CONFIRM_SECONDS)
            except (BrokerError, TimeoutError) as error:
                self._why = f"fencing: {type(error).__name__}"
            finally:
                await publisher.close()
            if missing:
                await asyncio.sleep(BACK_OFF_SECONDS)

    def _fencing_lost(self, why: str) -> None:
        self._why = why

    async def _look_at_parked(self) -> None:
        """Note what of this run is parked. Raises BrokerError."""
        target = self.job.target
        url = target.address.url(target.router_user, target.router_password)
        for body in await look(url, PARKED, self.job.parked_max):
            arrival = read(b"", body)
            if arrival is not None and arrival.number >= self.job.first_number:
                self._note(Kind.PARKED, self._clients.get(arrival.client, NOWHERE), arrival.number, 0)

    def _tell(self, done: bool = False) -> None:
        self._journal.flush()
        tell(
            {
                **self._counts,
                "connected": len(self._connected),
                "fenced": len(self._fenced),
                "why": self._why if len(self._connected) < len(self.job.mailboxes) else "",
                "done": done,
            }
        )


async def run(job: ReadJob, steering: Steering) -> None:
    await Recipients(job).run(steering)


if __name__ == "__main__":
    main(ReadJob, run)
