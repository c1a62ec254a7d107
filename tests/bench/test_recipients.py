"""Recipients without a broker: what is noted of a delivery, and what is only a second reading."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.amqp import Address
from bench.bodies import Bodies
from bench.hub import make_clients
from bench.job import ReadJob, Target, inboxes_of, mailboxes_of, ring
from bench.journal import NOWHERE, Kind, Record, records
from bench.recipients import FENCE_BODY, Recipients, Reread
from router.core.names import HEADER_FIRST_SEEN, HEADER_POSSIBLE_DUPLICATE, HEADER_PUBLISH
from router.core.properties import entry
from router.core.refusals import Code
from router.core.report import report_body

FIRST = 1000
PAIRS = ring(make_clients(2))
A, B = (client.id for client, _ in PAIRS)
BODIES = Bodies(1, 1.8e9, count=20)


def headers(publish: int, marked: bool = False, first_seen: int = 9) -> bytes:
    mark = entry(HEADER_POSSIBLE_DUPLICATE, True) if marked else b""
    return entry(HEADER_FIRST_SEEN, first_seen) + mark + entry(HEADER_PUBLISH, publish)


@pytest.fixture
def recipients(tmp_path: Path) -> Iterator[Recipients]:
    mailboxes = mailboxes_of(PAIRS)
    reports = {A: f"{A}.in.info", B: f"{B}.in.info"}
    target = Target(Address("127.0.0.1", 1, "v"), "", "", "")
    made = Recipients(ReadJob(target, reports, mailboxes, inboxes_of(mailboxes), str(tmp_path / "journal"), FIRST))
    yield made
    made._journal.close()


def noted(recipients: Recipients) -> list[Record]:
    recipients._journal.flush()
    return list(records(Path(recipients.job.journal)))


def message(number: int, sender: str = A) -> bytes:
    return BODIES.message(0, sender, B, number).body


def test_a_message_is_noted_with_its_inbox_and_mark(recipients: Recipients) -> None:
    recipients._take(f"{B}.in.message", headers(1, marked=True), message(FIRST), False)
    (record,) = noted(recipients)
    assert (record.kind, record.client, record.number, record.marked) == (Kind.RECEIVED, 0, FIRST, 1)
    assert recipients.job.inboxes[record.place] == f"{B}.in.message" and record.digest


def test_a_report_is_noted_with_its_status_when_its_own_client_gets_it(recipients: Recipients) -> None:
    body = report_body(A, Code.EXPIRED_MESSAGE_BEFORE_ROUTING, "c", f"{A}_{FIRST}", "fr.health.hub_1", 1.0)
    recipients._take(f"{A}.in.info", headers(1), body, False)
    recipients._take(f"{B}.in.info", headers(2), body, False)
    right, wrong = noted(recipients)
    assert (right.kind, right.place) == (Kind.REPORTED, 400)
    assert wrong.kind == Kind.RECEIVED and recipients.job.inboxes[wrong.place] == f"{B}.in.info"


@pytest.mark.parametrize("body", [b"", b"null", b'{"distributionID": "x"}'])
def test_what_cannot_be_told_is_noted_as_nobody_s(recipients: Recipients, body: bytes) -> None:
    recipients._take(f"{B}.in.message", b"", body, False)
    assert [record.client for record in noted(recipients)] == [NOWHERE]


def test_strangers_are_noted_and_leftovers_of_earlier_runs_are_not(recipients: Recipients) -> None:
    recipients._take(f"{B}.in.message", headers(1), message(FIRST, "fr.health.stranger"), False)
    recipients._take(f"{B}.in.message", headers(2), message(FIRST - 1), False)
    assert [record.client for record in noted(recipients)] == [NOWHERE]
    assert recipients._counts["leftovers"] == 1


def test_only_this_run_s_fence_counts(recipients: Recipients) -> None:
    recipients._take(f"{B}.in.message", b"", FENCE_BODY + b'"other"}', False)
    assert not recipients._fenced
    recipients._take(f"{B}.in.message", b"", recipients._fence, False)
    assert recipients._fenced == {f"{B}.in.message"} and noted(recipients) == []


def test_copies_count_and_second_readings_after_a_break_do_not(recipients: Recipients) -> None:
    queue = f"{B}.in.message"
    recipients._take(queue, headers(1), message(FIRST), False)
    recipients._take(queue, headers(1), message(FIRST), False)
    assert len(noted(recipients)) == 2, "within a connection, everything is a copy"
    recipients._reread[queue].broken()
    recipients._take(queue, headers(1), message(FIRST), True)
    assert len(noted(recipients)) == 2, "the same entry, read again"
    recipients._take(queue, headers(1), message(FIRST), True)
    recipients._take(queue, headers(2), message(FIRST), True)
    recipients._take(queue, headers(1, first_seen=10), message(FIRST), True)
    assert len(noted(recipients)) == 5 and recipients._counts["reread"] == 1


def test_an_entry_may_come_again_after_each_break() -> None:
    reread = Reread()
    assert not reread.is_again(headers(1), 5)
    for _ in range(3):
        reread.broken()
        assert reread.is_again(headers(1), 5)
        assert not reread.is_again(headers(1), 5)
