"""Journals: what is written is read, half records are not, and the ledger hears it all."""

from pathlib import Path

from bench.journal import NOWHERE, RECORD_BYTES, JournalWriter, Kind, feed, records
from bench.ledger import Ledger

CLIENTS = ["fr.health.a", "fr.health.b"]
INBOXES = ["b.in.message", "a.in.info"]
BIG = 1_800_000_000_000_000


def test_records_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path)
    writer.add(Kind.RECEIVED, 1, BIG, place=501, digest=0xFFFF_FFFF, marked=True, nanoseconds=7)
    writer.add(Kind.CONFIRMED, 0, 1)
    writer.close()
    first, second = records(path)
    assert (first.kind, first.client, first.number, first.place, first.digest) == (
        Kind.RECEIVED,
        1,
        BIG,
        501,
        2**32 - 1,
    )
    assert first.marked and first.nanoseconds == 7
    assert second.kind == Kind.CONFIRMED and not second.marked and second.nanoseconds > 0


def test_a_journal_in_the_making_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path)
    for number in range(3):
        writer.add(Kind.CONFIRMED, 0, number)
    writer.close()
    path.write_bytes(path.read_bytes()[:-1])
    assert [record.number for record in records(path)] == [0, 1]
    assert [record.number for record in records(path, RECORD_BYTES)] == [1]


def test_nothing_is_on_disk_before_a_flush_and_all_after_many(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path)
    writer.add(Kind.CONFIRMED, 0, 1)
    assert list(records(path)) == []
    writer.flush()
    assert len(list(records(path))) == 1
    for number in range(20_000):
        writer.add(Kind.CONFIRMED, 0, number)
    assert len(list(records(path))) > 10_000
    writer.close()
    assert len(list(records(path))) == 20_001


def test_the_ledger_hears_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path)
    writer.add(Kind.PUBLISHED, 0, 1, place=0, digest=11)
    writer.add(Kind.PUBLISHED, 0, 2, place=NOWHERE, digest=12)
    writer.add(Kind.PUBLISHED, 0, 3, place=0, digest=13)
    writer.add(Kind.NACKED, 0, 3)
    writer.add(Kind.RESENT, 0, 4, place=0, digest=14)
    for number in (1, 2, 4):
        writer.add(Kind.CONFIRMED, 0, number)
    writer.add(Kind.RECEIVED, 0, 1, place=0, digest=11)
    writer.add(Kind.REPORTED, 0, 2, place=300, marked=True)
    writer.add(Kind.PARKED, 0, 4)
    writer.add(Kind.RECEIVED, NOWHERE, 0, place=0)
    writer.close()
    ledger = Ledger()
    feed(ledger, CLIENTS, INBOXES, records(path))
    verdict = ledger.verdict()
    assert (verdict.published, verdict.resent, verdict.confirmed, verdict.unconfirmed) == (3, 1, 3, 1)
    assert (verdict.delivered, verdict.reported, verdict.parked) == (1, 1, 1)
    assert verdict.reports_by_code == {300: 1}
    assert verdict.faults == ("lost=1", "strangers=1")
