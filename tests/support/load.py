"""Clients that go on sending while a test does something to the hub, and the ledger of what became of it."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.ledger import Ledger, Verdict
from tests.support.amqp import Amqp
from tests.support.messages import encoded
from tests.support.party import Party, error_of, is_marked

BATCH = 10
PAUSE_SECONDS = 0.02


class Sender:
    """One client in a thread of its own: batches of messages to one recipient, each batch confirmed before the next."""

    def __init__(self, party: Party, recipient: Party, stop: threading.Event, go: threading.Event) -> None:
        self.party, self.recipient = party, recipient
        self.confirmed = 0
        """Its messages 1 to this one are the broker's."""
        self._stop, self._go = stop, go
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"sender {party.id}")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with self.party.another_connection() as amqp:
                while not self._stop.wait(PAUSE_SECONDS):
                    self._go.wait()
                    for number in range(self.confirmed + 1, self.confirmed + 1 + BATCH):
                        body = self.party.message(self.recipient, identifier=f"{self.party.id}_{number}")
                        self.party.publish(encoded(body), amqp=amqp)
                    assert amqp.confirm(), "the broker did not store it"
                    self.confirmed += BATCH
        except BaseException as failure:
            self._failure = failure


class Load:
    """`with Load(...)`: every sender sends from the beginning to the end of the block. Then `verdict`."""

    def __init__(self, senders: Sequence[Party], recipient: Party) -> None:
        self.recipient = recipient
        self._stop, self._go = threading.Event(), threading.Event()
        self._go.set()
        self.senders = [Sender(sender, recipient, self._stop, self._go) for sender in senders]

    def __enter__(self) -> "Load":
        for sender in self.senders:
            sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._go.set()
        for sender in self.senders:
            sender.join()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody sends in this block."""
        self._go.clear()
        try:
            yield
        finally:
            self._go.set()

    @property
    def confirmed(self) -> int:
        return sum(sender.confirmed for sender in self.senders)

    def verdict(self, patience_seconds: float = 20.0) -> Verdict:
        """Reads the recipient's inbox until nothing is missing and the inbox is empty, then the senders' reports."""
        ledger = Ledger()
        inbox = self.recipient.inbox("message")
        for sender in self.senders:
            for number in range(1, sender.confirmed + 1):
                ledger.published(sender.party.id, number, inbox)
                ledger.confirmed(sender.party.id, number)
        with self.recipient.another_connection() as amqp:
            missing = self.confirmed
            amqp.consume(inbox, prefetch=200)
            while missing > 0 and self._receive(ledger, amqp, patience_seconds):
                # Counted down between looks at the ledger: copies only make the next look come sooner.
                missing -= 1
                missing = missing or ledger.missing()
            # To its end; the silence also lets the last acknowledgements pass before their channel goes.
            while self._receive(ledger, amqp, 0.5):
                pass
        for sender in self.senders:
            party = sender.party
            for report in party.take_many("info", party.amqp.depth(party.inbox("info"))):
                error = error_of(json.loads(report.body))
                client, _, number = error["referencedDistributionID"].rpartition("_")
                ledger.reported(client, int(number), error["errorCode"]["statusCode"], is_marked(report))
        return ledger.verdict()

    def _receive(self, ledger: Ledger, amqp: Amqp, patience_seconds: float) -> bool:
        arrived = amqp.next(patience_seconds)
        if arrived is None:
            return False
        amqp.ack(arrived)
        client, _, number = json.loads(arrived.body)["distributionID"].rpartition("_")
        ledger.received(client, int(number), is_marked(arrived), self.recipient.inbox("message"))
        return True
