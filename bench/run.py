"""A load on a running hub, from its first publish to the ledger's verdict; for `hubex bench` and for every test that
kills something meanwhile.

    with LoadRun(target, ring(clients), folder, rate=1000) as load:
        load.start()
        load.wait_confirmed(2000)
        ...kill, restart, wait...
        verdict = load.finish(hub_is_idle)
    assert verdict.ok, verdict.faults

Law: the verdict comes from what senders and recipients saw, and from nobody else. Every inbox is read to its end, or
there is no verdict.
"""

import ipaddress
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from msgspec import Struct

from bench.bodies import BODIES_MIN, HEADLINE
from bench.child import LoadError, LoadProcess, wait_quietly
from bench.job import ReadJob, SendJob, Target, inboxes_of, lines_of, mailboxes_of
from bench.journal import RECORD_BYTES, feed, records
from bench.ledger import Ledger, Verdict
from bench.steering import FENCE, STOP
from router.core.directory import Client

CONNECT_SECONDS: Final = 60.0
FENCE_SECONDS: Final = 120.0
IDLE_LOOKS: Final = 2
IDLE_SECONDS: Final = 1.2
"""Between two looks whether the hub is idle: more than the interval of a local broker's statistics."""
LEDGER_SECONDS: Final = 0.5
"""Between two looks at the journals, each a walk over all publishes."""
NUMBERS_PER_SECOND: Final = 1_000_000

HubIsIdle = Callable[[], bool]


class Progress(Struct, frozen=True):
    """Counts so far, a fraction of a second old. `in_hub`: confirmed, and neither arrived nor reported yet."""

    published: int
    resent: int
    confirmed: int
    received: int
    reported: int
    in_hub: int
    senders_connected: int
    recipients_connected: int
    why: str
    """The last reason why a load client was not connected; "" when all are."""


class LoadRun:
    """One run of one load. Leave it by `with`: no process of it stays.

    `pairs` are (sender, recipient): clients that exist on the broker with the target's password, each a sender once,
    and whose inboxes nobody else reads. `rate` is messages a second over all senders, 0 as fast as confirms come with
    `window` in flight each; `count` messages in all, 0 until `finish`. With `read_live` False the inboxes are read at
    the end only. The broker's address must be loopback: a load is not for other people's brokers.
    """

    def __init__(
        self,
        target: Target,
        pairs: Sequence[tuple[Client, Client]],
        folder: Path,
        *,
        rate: float = 0.0,
        count: int = 0,
        window: int = 200,
        seed: int = 1,
        mix: dict[str, float] | None = None,
        invalid_share: float = 0.0,
        read_live: bool = True,
        bodies: int = BODIES_MIN,
    ) -> None:
        if not ipaddress.ip_address(target.address.host).is_loopback:
            raise ValueError(f"{target.address.host} is not a loopback address: a load may not go there")
        folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(4)
        mailboxes = mailboxes_of(pairs)
        self._inboxes = inboxes_of(mailboxes)
        lines = lines_of(pairs)
        self._clients = [line.sender for line in lines]
        read_as = {queue: client.wire_format.value for pair in pairs for client in pair for queue in client.inboxes}
        self.formats = tuple(read_as[queue] for queue in self._inboxes)
        """What is read from each inbox, `json` or `xml`, in the order of the journals' places."""
        # What an earlier run left in an inbox has lower numbers, so it is not this run's.
        first = int(time.time()) * NUMBERS_PER_SECOND
        self._send = SendJob(
            target, lines, self._inboxes, str(folder / f"{name}.sent"), seed, time.time(), mix or dict(HEADLINE),
            invalid_share, rate, count, window, bodies, first,
        )  # fmt: skip
        reports = {line.sender: line.reports for line in lines}
        self._read = ReadJob(target, reports, mailboxes, self._inboxes, str(folder / f"{name}.read"), first)
        self._read_live = read_live
        self._sending: LoadProcess | None = None
        self._reading: LoadProcess | None = None
        self._ledger = Ledger()
        self._fed: dict[Path, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._sending, self._reading):
            if process is not None:
                process.end()

    # ---- while it runs ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start sending; back when every load client has connected once. Raises LoadError."""
        if self._read_live:
            self._start_reading()
        self._sending = LoadProcess("bench.load", self._send, self.journals[0].with_suffix(".sent.stderr"))
        self._until(
            "senders did not connect",
            lambda: self.progress().senders_connected == len(self._clients) or self.progress().confirmed > 0,
            CONNECT_SECONDS,
        )

    def progress(self) -> Progress:
        """Raises LoadError when a load process died."""
        sent, read = self._state(self._sending), self._state(self._reading)
        confirmed, received, reported = sent["confirmed"], read["received"], read["reported"]
        return Progress(
            sent["published"],
            sent["resent"],
            confirmed,
            received,
            reported,
            confirmed - received - reported,
            sent["connected"],
            read["connected"],
            next((p.why for p in (self._sending, self._reading) if p is not None and p.why), ""),
        )

    def wait_confirmed(self, count: int, seconds: float = 60.0) -> None:
        """Until so many publishes are confirmed. Raises LoadError after `seconds`."""
        self._until(f"{count} messages were not confirmed", lambda: self.progress().confirmed >= count, seconds)

    def wait_received(self, count: int, seconds: float = 60.0) -> None:
        """Until so many messages and reports have been read. Raises LoadError after `seconds`."""

        def enough() -> bool:
            progress = self.progress()
            return progress.received + progress.reported >= count

        self._until(f"{count} messages did not arrive", enough, seconds)

    # ---- the end ---------------------------------------------------------------------------------

    def stop_sending(self, seconds: float = 60.0) -> bool:
        """No new messages; True when everything begun has been confirmed, resends included. Raises LoadError."""
        assert self._sending is not None  # started
        self._sending.say(STOP)
        if self._sending.wait_done(seconds):
            return True
        self._sending.end()
        return False

    def wait_sent(self, seconds: float) -> None:
        """Until all messages of `count` are confirmed. Raises LoadError after `seconds`."""
        assert self._sending is not None  # started
        if not self._sending.wait_done(seconds):
            raise LoadError(f"not all messages were confirmed in {seconds:.0f} s: {self.progress().why or 'no reason'}")

    def finish(self, hub_is_idle: HubIsIdle | None = None, *, settle_seconds: float = 90.0) -> Verdict:
        """Stop sending, wait until everything confirmed is accounted for and the hub is idle, at most `settle_seconds`
        for each (the retry ladder takes 71 s); read every inbox to its end; judge.

        The hub must be running. Raises LoadError when an inbox could not be read to its end.
        """
        self.stop_sending(settle_seconds)
        if self._reading is None:
            self._start_reading()
        wait_quietly(lambda: self.missing() == 0, settle_seconds, LEDGER_SECONDS)
        if hub_is_idle is not None:
            looks = 0
            deadline = time.monotonic() + settle_seconds
            while looks < IDLE_LOOKS and time.monotonic() < deadline:
                looks = looks + 1 if hub_is_idle() else 0
                time.sleep(IDLE_SECONDS)
        return self.read_to_the_end()

    def missing(self) -> int:
        """Confirmed publishes that have neither arrived nor been reported, by the journals so far."""
        self._feed()
        return self._ledger.missing()

    def read_to_the_end(self) -> Verdict:
        """The last part of `finish`. Raises LoadError."""
        if self._reading is None:
            self._start_reading()
        assert self._reading is not None
        self._reading.say(FENCE)
        if not self._reading.wait_done(FENCE_SECONDS):
            fenced = f"{self._reading.counts['fenced']} of {len(self._inboxes)} inboxes"
            raise LoadError(f"only {fenced} could be read to their end: {self._reading.why or 'no reason'}")
        self._feed()
        return self._ledger.verdict()

    @property
    def journals(self) -> tuple[Path, Path]:
        """What the senders and what the recipients wrote; whole once the inboxes are read to their end."""
        return Path(self._send.journal), Path(self._read.journal)

    # ---- inside ----------------------------------------------------------------------------------

    def _start_reading(self) -> None:
        self._reading = LoadProcess("bench.recipients", self._read, self.journals[1].with_suffix(".read.stderr"))
        self._until(
            "recipients did not connect",
            lambda: self.progress().recipients_connected == len(self._read.mailboxes),
            CONNECT_SECONDS,
        )

    def _state(self, process: LoadProcess | None) -> Counter[str]:
        if process is None:
            return Counter()
        process.check()
        return process.counts

    def _until(self, what: str, test: Callable[[], bool], seconds: float) -> None:
        if not wait_quietly(test, seconds):
            progress = self.progress()
            connected = f"{progress.senders_connected} senders and {progress.recipients_connected} recipients connected"
            raise LoadError(f"{what} in {seconds:.0f} s: {connected}, {progress.why or 'no reason'}")

    def _feed(self) -> None:
        """Tell the ledger what the journals have more: senders first, so that nothing looks like a stranger."""
        for process, journal in zip((self._sending, self._reading), self.journals, strict=True):
            if process is None:
                continue
            start = self._fed.get(journal, 0)
            found = list(records(journal, start))
            feed(self._ledger, self._clients, self._inboxes, iter(found))
            self._fed[journal] = start + len(found) * RECORD_BYTES
