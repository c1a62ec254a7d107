"""What a recipient reads: number, mark and status, from messages and from the hub's reports."""

import pytest

from bench.bodies import INVALID, MIXES, Bodies, spoil
from bench.forwarders import PACK
from bench.reading import MARKED, fingerprint, read
from router.core.names import (
    HEADER_FIRST_SEEN,
    HEADER_KEY,
    HEADER_POSSIBLE_DUPLICATE,
    HEADER_PUBLISH,
)
from router.core.properties import entry
from router.core.refusals import Code
from router.core.report import report_body, report_id
from validators import load_pack

A, B = "fr.health.bench.c01", "fr.health.bench.c02"
BODIES = Bodies(1, 1_800_000_000.0, MIXES["all"], count=300)


def headers(**more: int | bool | str) -> bytes:
    """Headers as the hub writes them; good enough for a property list."""
    named = {"first": HEADER_FIRST_SEEN, "publish": HEADER_PUBLISH, "mark": HEADER_POSSIBLE_DUPLICATE, "count": "x-dc"}
    return entry(HEADER_KEY, f"{A}.out.message") + b"".join(entry(named[n], value) for n, value in more.items())


def test_every_shape_gives_its_client_and_number() -> None:
    for number in range(300):
        arrival = read(b"", BODIES.message(0, A, B, number).body)
        assert arrival is not None
        assert (arrival.client, arrival.number, arrival.status_code, arrival.marked) == (A, number, 0, False)


def test_converted_messages_and_reports_are_read_alike() -> None:
    pack = load_pack(PACK)
    for number in range(30):
        arrival = read(b"", pack.xml.write_message(BODIES.message(0, A, B, number).body))
        assert arrival is not None and (arrival.client, arrival.number, arrival.status_code) == (A, number, 0)
    report = report_body(A, Code.INVALID_MESSAGE, "cause", f"{A}_77", report_id(b"x", "key", 1.0), 1.0)
    arrival = read(b"", pack.xml.write_message(report))
    assert arrival is not None and (arrival.client, arrival.number, arrival.status_code) == (A, 77, 300)


def test_a_digest_is_the_body_s() -> None:
    body = BODIES.message(0, A, B, 1).body
    first, same, other = read(b"", body), read(b"x", bytes(body)), read(b"", body[:-1])
    assert first is not None and same is not None and other is not None
    assert first.digest == same.digest != other.digest


@pytest.mark.parametrize(("value", "marked"), [(True, True), (False, False)])
def test_the_mark_is_a_true_boolean(value: bool, marked: bool) -> None:
    arrival = read(headers(mark=value, publish=3), BODIES.message(0, A, B, 1).body)
    assert arrival is not None and arrival.marked is marked
    assert (MARKED in headers(mark=value)) is marked


def test_a_report_is_about_its_reference() -> None:
    body = report_body(A, Code.INVALID_MESSAGE, "cause", f"{A}_77", report_id(b"x", "key", 1.0), 1.0)
    arrival = read(headers(mark=True), body)
    assert arrival is not None
    assert (arrival.client, arrival.number, arrival.status_code, arrival.marked) == (A, 77, 300, True)


def test_a_report_without_a_usable_reference_is_nothing() -> None:
    for reference in ("distributionID_could_not_be_extracted", f"{A}_x"):
        body = report_body(A, Code.INVALID_MESSAGE, "cause", reference, "fr.health.hub_123", 1.0)
        assert read(b"", body) is None


def test_reports_about_spoiled_messages_can_be_matched() -> None:
    from router.core.envelope import reference_id

    for way in INVALID:
        for number in range(30):
            spoiled = spoil(BODIES.message(0, A, B, number), way)
            body = report_body(A, Code(spoiled.refusal), "c", reference_id(spoiled.body), "fr.health.hub_1", 1.0)
            arrival = read(b"", body)
            assert arrival is not None and (arrival.client, arrival.number) == (A, number), way


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"distributionID":"no number_"}', b"\xff" * 50])
def test_what_cannot_be_told_is_nothing(body: bytes) -> None:
    assert read(b"", body) is None


def test_two_readings_of_one_entry_are_one_fingerprint() -> None:
    """The broker adds a delivery count when it gives an entry again."""
    assert fingerprint(headers(publish=5, first=9), 1) == fingerprint(headers(count=1, publish=5, first=9), 1)


@pytest.mark.parametrize(
    ("raw", "digest"),
    [
        (headers(publish=6, first=9), 1),
        (headers(publish=5, first=8), 1),
        (headers(publish=5, first=9, mark=True), 1),
        (headers(publish=5, first=9), 2),
    ],
)
def test_two_entries_are_two_fingerprints(raw: bytes, digest: int) -> None:
    assert fingerprint(raw, digest) != fingerprint(headers(publish=5, first=9), 1)


def test_a_cut_header_is_no_number() -> None:
    assert fingerprint(headers(publish=5)[:-3], 1)[0] == 0
