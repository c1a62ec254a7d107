"""The journal of a load process: what it saw, in fixed-size records, for the ledger to read afterwards.

Writing one costs less than a microsecond, so that the load stays small beside what it measures. Times are nanoseconds
of CLOCK_MONOTONIC, which all processes of a machine share. A journal is complete when its process has ended by itself.
"""

import time
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from struct import Struct as Packer
from typing import Final, NamedTuple

from bench.ledger import REFUSED, Ledger

_RECORD: Final = Packer("<BBHHHIQq")
FLUSH_BYTES: Final = 256 * 1024
NOWHERE: Final = 0xFFFF
"""Place of a publish that must be refused; client of an arrival that no client of the run sent."""


class Kind(IntEnum):
    PUBLISHED = 1
    RESENT = 2
    CONFIRMED = 3
    NACKED = 4
    RECEIVED = 5
    REPORTED = 6
    PARKED = 7
    REREAD = 8
    """A queue entry that this recipient had read before its connection broke: not a copy, not judged."""


class Record(NamedTuple):
    """`client` is an index into the run's clients, `place` one into its inboxes, or a report's status code."""

    kind: int
    marked: int
    client: int
    place: int
    spare: int
    digest: int
    number: int
    nanoseconds: int


class JournalWriter:
    """Appends records to a file. One writer a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._buffer = bytearray()

    def add(
        self, kind: Kind, client: int, number: int, place: int = 0, digest: int = 0, marked: bool = False,
        nanoseconds: int = 0,
    ) -> None:  # fmt: skip
        """`nanoseconds` 0: now."""
        at = nanoseconds or time.monotonic_ns()
        self._buffer += _RECORD.pack(kind, marked, client, place, 0, digest, number, at)
        if len(self._buffer) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._buffer:
            self._file.write(self._buffer)
            self._buffer.clear()

    def close(self) -> None:
        self.flush()
        self._file.close()


def records(path: Path, start: int = 0) -> Iterator[Record]:
    """The whole records of a journal from byte `start` on; one that is being written may end in half a record."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    whole = len(data) - len(data) % _RECORD.size
    for fields in _RECORD.iter_unpack(memoryview(data)[:whole]):
        yield Record(*fields)


RECORD_BYTES: Final = _RECORD.size


def feed(ledger: Ledger, clients: Sequence[str], inboxes: Sequence[str], found: Iterator[Record]) -> None:
    """Tell the ledger what a journal holds. `clients` and `inboxes` are the run's, in its order."""
    for record in found:
        client = clients[record.client] if record.client != NOWHERE else "?"
        kind = record.kind
        if kind == Kind.CONFIRMED:
            ledger.confirmed(client, record.number)
        elif kind == Kind.RECEIVED:
            ledger.received(client, record.number, bool(record.marked), inboxes[record.place], record.digest)
        elif kind == Kind.PUBLISHED or kind == Kind.RESENT:
            inbox = inboxes[record.place] if record.place != NOWHERE else REFUSED
            tell = ledger.published if kind == Kind.PUBLISHED else ledger.resent
            tell(client, record.number, inbox, record.digest)
        elif kind == Kind.REPORTED:
            ledger.reported(client, record.number, record.place, bool(record.marked))
        elif kind == Kind.PARKED:
            ledger.parked(client, record.number)
