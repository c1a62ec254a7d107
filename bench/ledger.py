"""The ledger: what was published against what arrived, for every bench and chaos run (DELIVERY.md 10). Pure.

Law: it is fed by senders and recipients only, never by the router. Every publish has a number of its own in its body; a
sender's resend is a publish of its own, with its own number, listed apart. A confirmed publish that neither arrived nor
was reported to its sender is lost. Copies of one publish are marked when at most one of them lacks the mark. Order is
judged on first arrivals per client and inbox; refusals are judged apart.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

EXAMPLES_MAX: Final = 10
"""Publishes named per fault: enough to look for them, not a flood."""
DEAD_LETTERED: Final = 500
"""Status code of a report that says when its message died or was parked, not when it was refused: it has no order."""
REFUSED: Final = "(refused)"
"""The `inbox` of a publish that must be refused: reaching any inbox is a fault."""


class Verdict(Struct, frozen=True, kw_only=True):
    """The counts of one run. Publishes are counted once, duplicates are counted by surplus copy."""

    published: int
    """First publishes; a resend is in `resent`."""
    resent: int
    confirmed: int
    """Publishes, resends included, that the broker said it had stored."""
    unconfirmed: int
    """Published, never confirmed: nothing is owed for them."""
    delivered: int
    """Publishes that reached an inbox at least once."""
    delivered_unconfirmed: int
    reported: int
    """Publishes that came back to their sender as an error report at least once."""
    reports_by_code: dict[int, int]
    parked: int
    """Publishes that were found parked at the end."""
    lost: int
    """Confirmed, neither delivered nor reported. Parked does not count: who sent it was never told."""
    unmarked_duplicates: int
    marked_duplicates: int
    disorder: int
    """Unmarked first arrivals that a later publish of the same client had overtaken in the same inbox."""
    marked_disorder: int
    """The same, but marked: what DELIVERY.md 8 lets happen (a retry, a redelivery after a crash)."""
    refused_disorder: int
    """The same among refusals. Listed only: a return takes longer than a check, so their order is promised nowhere."""
    misdelivered: int
    """Deliveries into an inbox that the publish was not for."""
    wrongly_refused: int
    """Refusals (not 500s) of a publish that was for an inbox."""
    altered: int
    """Deliveries whose body differs from the one published."""
    strangers: int
    """Arrivals of what nobody published."""
    examples: dict[str, tuple[str, ...]]
    """Fault name -> up to `EXAMPLES_MAX` publishes as `client_number`."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Every broken promise as `name=count`; `()` when all were kept."""
        return tuple(f"{name}={getattr(self, name)}" for name in FAULTS if getattr(self, name))

    @property
    def ok(self) -> bool:
        """No promise was broken."""
        return not self.faults

    @property
    def in_order(self) -> bool:
        """Stricter than `ok`: nothing was overtaken, not even by what is marked. For runs in which nothing fails."""
        return not (self.disorder or self.marked_disorder)


FAULTS: Final = ("lost", "unmarked_duplicates", "disorder", "misdelivered", "wrongly_refused", "altered", "strangers")


class _Publish:
    """One publish and everything that came of it; per copy whether it was marked."""

    __slots__ = ("confirmed", "deliveries", "digest", "inbox", "known", "parked", "refusals", "reports_500", "resent")

    def __init__(self) -> None:
        self.known = self.resent = self.confirmed = self.parked = False
        self.inbox = ""
        self.digest = 0
        self.deliveries: tuple[bool, ...] = ()
        self.refusals: tuple[bool, ...] = ()
        self.reports_500: tuple[bool, ...] = ()


class Ledger:
    """The facts of a run: senders and recipients in any order, but the arrivals of one inbox in theirs."""

    def __init__(self) -> None:
        self._publishes: dict[str, dict[int, _Publish]] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._counts: Counter[str] = Counter()
        self._codes: Counter[int] = Counter()
        self._examples: dict[str, list[str]] = {}

    # ---- senders ---------------------------------------------------------------------------------

    def published(self, client: str, number: int, inbox: str = "", digest: int = 0) -> None:
        """A client wrote a publish. Numbers of one client grow in the order of its publishes, resends included.

        `inbox` is where it should arrive, REFUSED when nowhere, "" when that is not to be judged; `digest` any checksum
        of its body (0: none). Raises ValueError for a number used twice.
        """
        publish = self._publish(client, number)
        if publish.known:
            raise ValueError(f"{client} published number {number} twice")
        publish.known, publish.inbox, publish.digest = True, inbox, digest

    def resent(self, client: str, number: int, inbox: str = "", digest: int = 0) -> None:
        """As `published`, for a message that the client had published before under another number, unconfirmed."""
        self.published(client, number, inbox, digest)
        self._publishes[client][number].resent = True

    def confirmed(self, client: str, number: int) -> None:
        """The broker told the client that it has stored this publish."""
        self._publish(client, number).confirmed = True

    # ---- recipients ------------------------------------------------------------------------------

    def received(self, client: str, number: int, marked: bool, recipient: str, digest: int = 0) -> None:
        """A copy of `client`'s publish was read from the inbox queue `recipient`."""
        publish = self._publish(client, number)
        if publish.inbox and recipient != publish.inbox:
            self._fault("misdelivered", client, number)
        if publish.digest and digest and publish.digest != digest:
            self._fault("altered", client, number)
        if not publish.deliveries and self._overtaken(client, recipient, number):
            self._fault("marked_disorder" if marked else "disorder", client, number)
        publish.deliveries += (marked,)

    def reported(self, client: str, number: int, status_code: int, marked: bool) -> None:
        """An error report about `client`'s publish was read from `client`'s own inbox."""
        publish = self._publish(client, number)
        self._codes[status_code] += 1
        if status_code == DEAD_LETTERED:
            publish.reports_500 += (marked,)
            return
        if not publish.refusals and self._overtaken(client, "", number):
            self._fault("refused_disorder", client, number)
        publish.refusals += (marked,)

    def parked(self, client: str, number: int) -> None:
        """The publish was found among the parked messages after the run."""
        self._publish(client, number).parked = True

    # ---- the verdict -----------------------------------------------------------------------------

    def missing(self) -> int:
        """Confirmed publishes that have neither arrived nor been reported so far."""
        return sum(_is_lost(publish) for _, _, publish in self._all())

    def verdict(self) -> Verdict:
        """The counts so far; final once every inbox has been read to its end."""
        counts = Counter(self._counts)
        examples = {name: list(found) for name, found in self._examples.items()}
        for client, number, publish in self._all():
            for name, amount in _facts(publish):
                counts[name] += amount
                if name in FAULTS and len(found := examples.setdefault(name, [])) < EXAMPLES_MAX:
                    found.append(f"{client}_{number}")
        fields = (name for name in Verdict.__struct_fields__ if name not in ("examples", "reports_by_code"))
        return Verdict(
            **{name: counts[name] for name in fields},
            reports_by_code=dict(sorted(self._codes.items())),
            examples={name: tuple(found) for name, found in sorted(examples.items())},
        )

    # ---- inside ----------------------------------------------------------------------------------

    def _publish(self, client: str, number: int) -> _Publish:
        of_client = self._publishes.get(client)
        if of_client is None:
            of_client = self._publishes[client] = {}
        publish = of_client.get(number)
        if publish is None:
            publish = of_client[number] = _Publish()
        return publish

    def _all(self) -> Iterable[tuple[str, int, _Publish]]:
        for client, publishes in self._publishes.items():
            for number, publish in publishes.items():
                yield client, number, publish

    def _overtaken(self, client: str, line: str, number: int) -> bool:
        """True when a later publish came first; else `number` is now the newest of this line."""
        newest = self._newest.get((client, line), -1)
        if number < newest:
            return True
        self._newest[client, line] = number
        return False

    def _fault(self, name: str, client: str, number: int) -> None:
        self._counts[name] += 1
        found = self._examples.setdefault(name, [])
        if len(found) < EXAMPLES_MAX:
            found.append(f"{client}_{number}")


def _is_lost(publish: _Publish) -> bool:
    return publish.confirmed and not (publish.deliveries or publish.refusals or publish.reports_500)


def _facts(publish: _Publish) -> Iterable[tuple[str, int]]:
    """What one publish adds to which count."""
    arrived = len(publish.deliveries) + len(publish.refusals) + len(publish.reports_500)
    if not publish.known:
        yield "strangers", max(1, arrived)
        return
    yield ("resent" if publish.resent else "published"), 1
    yield ("confirmed" if publish.confirmed else "unconfirmed"), 1
    if publish.deliveries:
        yield "delivered", 1
        if not publish.confirmed:
            yield "delivered_unconfirmed", 1
    if publish.refusals or publish.reports_500:
        yield "reported", 1
    if publish.refusals and publish.inbox not in ("", REFUSED):
        yield "wrongly_refused", len(publish.refusals)
    if publish.parked:
        yield "parked", 1
    if _is_lost(publish):
        yield "lost", 1
    # A delivery and a refusal of the same publish are copies of each other; a 500 is news about what was delivered,
    # expired or parked, so it is compared with other 500s only.
    for copies in (publish.deliveries + publish.refusals, publish.reports_500):
        unmarked = max(0, copies.count(False) - 1)
        if unmarked:
            yield "unmarked_duplicates", unmarked
        if len(copies) - 1 > unmarked:
            yield "marked_duplicates", len(copies) - 1 - unmarked
