from datetime import UTC, datetime

import msgspec
import pytest

from router.core.refusals import MAX_ID_CHARACTERS, cut
from router.observe.events import (
    Discarded,
    Event,
    Expired,
    Forwarded,
    MessageEvent,
    Notice,
    Parked,
    Received,
    Refused,
    Retried,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
KINDS: list[type[MessageEvent]] = [Received, Forwarded, Refused, Retried, Parked, Discarded, Expired]


def test_a_line_says_what_is_known_and_nothing_else() -> None:
    event = Forwarded(at=AT, worker=1, vhost="v", distribution_id="a_1", body_bytes=3300, latency_ms=2.5)
    assert msgspec.json.encode(event) == (
        b'{"event":"forwarded","at":"2026-01-02T03:04:05.000678Z","worker":1,"vhost":"v",'
        b'"distribution_id":"a_1","body_bytes":3300,"latency_ms":2.5}'
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_tag(kind: type[MessageEvent]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(kind(at=AT)))["event"] == kind.__name__.lower()


def test_a_notice_carries_facts() -> None:
    notice = Notice(at=AT, level="error", name="worker_ended", text="died", facts={"exit_code": 3})
    line = msgspec.json.decode(msgspec.json.encode(notice))
    assert line == {
        "event": "notice", "at": "2026-01-02T03:04:05.000678Z", "level": "error",
        "name": "worker_ended", "text": "died", "facts": {"exit_code": 3},
    }  # fmt: skip


def test_no_event_has_room_for_a_body() -> None:
    for kind in [*KINDS, Notice]:
        names = {field.name for field in msgspec.structs.fields(kind)}
        assert not names & {"body", "payload", "content", "headers"}
        assert issubclass(kind, Event)


def test_long_texts_are_cut() -> None:
    assert cut("é" * 300) == "é" * 256 == cut("é" * 256)
    assert cut("") == ""
    assert MAX_ID_CHARACTERS == 256
