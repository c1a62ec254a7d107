"""What a load process is told: who sends what to whom, how fast, and where to write what it saw. Plain data.

It crosses to the process as one line of JSON on its standard input, secrets included: none is on a command line.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bench.amqp import Address
from router.core.directory import Client, Format
from router.core.names import INFO, KINDS


class Line(Struct, frozen=True):
    """One sender of a run: its keys and where its messages arrive, each by kind (message, ack, info)."""

    sender: str
    recipient: str
    keys: Mapping[str, str]
    inboxes: Mapping[str, str]
    reports: str
    """The sender's own inbox for error reports."""
    converted: bool = False
    """The recipient reads XML: what arrives has another body, so it is not compared with the one published."""


class Mailbox(Struct, frozen=True):
    """One client's inboxes, read on a connection of its own."""

    user: str
    queues: tuple[str, ...]


class Target(Struct, frozen=True):
    """The broker under load. The router's user fences the inboxes and looks at what is parked."""

    address: Address
    clients_password: str
    router_user: str
    router_password: str


class SendJob(Struct, frozen=True):
    """For `bench.load`. `rate` messages a second over all lines; 0: as fast as confirms come, `window` in flight each.

    `count` messages in all, 0: until told to stop. A line's first publish is number `first_number`.
    """

    target: Target
    lines: tuple[Line, ...]
    inboxes: tuple[str, ...]
    journal: str
    seed: int
    started: float
    mix: Mapping[str, float]
    invalid_share: float = 0.0
    rate: float = 0.0
    count: int = 0
    window: int = 200
    bodies: int = 5_000
    first_number: int = 1


class ReadJob(Struct, frozen=True):
    """For `bench.recipients`. Arrivals below `first_number` are leftovers of an earlier run, counted and left out."""

    target: Target
    reports: Mapping[str, str]
    """Sender -> its inbox for error reports; the senders in the order of the run's lines."""
    mailboxes: tuple[Mailbox, ...]
    inboxes: tuple[str, ...]
    journal: str
    first_number: int = 1
    prefetch: int = 300
    parked_max: int = 10_000


class ForwardJob(Struct, frozen=True):
    """For a rival in `bench.rivals`: the queues to empty, and for each routing key the inbox of what came with it."""

    target: Target
    queues: tuple[str, ...]
    inboxes: Mapping[str, str]
    prefetch: int
    pack: str
    """Folder of the model pack, for one that checks."""


def lines_of(pairs: Sequence[tuple[Client, Client]]) -> tuple[Line, ...]:
    """The lines of (sender, recipient) pairs; a sender comes once."""
    return tuple(
        Line(
            sender.id,
            recipient.id,
            dict(zip(KINDS, sender.publish_keys * (1 if len(sender.publish_keys) > 1 else 3), strict=True)),
            {kind: recipient.inbox(kind) for kind in KINDS},
            sender.inbox(INFO),
            recipient.wire_format is not Format.JSON,
        )
        for sender, recipient in pairs
    )


def ring(clients: Sequence[Client], step: int = 1) -> list[tuple[Client, Client]]:
    """Each sends to the one `step` places on, so that each inbox has one sender and every client works both ways."""
    return [(client, clients[(index + step) % len(clients)]) for index, client in enumerate(clients)]


def mailboxes_of(pairs: Sequence[tuple[Client, Client]]) -> tuple[Mailbox, ...]:
    """Every inbox of every client that takes part, a client once."""
    clients = {client.id: client for pair in pairs for client in pair}
    return tuple(Mailbox(client.id, client.inboxes) for client in clients.values())


def inboxes_of(mailboxes: Sequence[Mailbox]) -> tuple[str, ...]:
    return tuple(queue for mailbox in mailboxes for queue in mailbox.queues)
