"""A nack is doubted once, then believed for a minute."""

from router.core.doubts import BELIEVED_SECONDS, ENTRIES, Doubts
from router.core.names import RUNGS

INBOX = ("hub.inbox", "a.in.message")


def test_the_first_is_doubted_and_the_next_are_believed_for_a_while() -> None:
    doubts = Doubts()
    assert doubts.doubt("dispatch.00", INBOX, 100.0)
    assert not doubts.doubt("dispatch.00", INBOX, 100.0 + BELIEVED_SECONDS - 0.1)
    assert doubts.doubt("dispatch.00", INBOX, 100.0 + BELIEVED_SECONDS)


def test_each_queue_and_each_source_is_doubted_by_itself() -> None:
    doubts = Doubts()
    assert all(
        doubts.doubt(source, queue, 0.0) for source in ("s", "t") for queue in (("hub.inbox", "a"), ("hub.inbox", "b"))
    )
    assert not any(
        doubts.doubt(source, queue, 1.0) for source in ("s", "t") for queue in (("hub.inbox", "a"), ("hub.inbox", "b"))
    )


def test_whatever_climbs_the_whole_ladder_is_doubted_twice() -> None:
    assert sum(rung.ttl_ms for rung in RUNGS) / 1000 > BELIEVED_SECONDS


def test_what_it_keeps_is_bounded() -> None:
    doubts = Doubts()
    for number in range(3 * ENTRIES):
        assert doubts.doubt("s", ("hub.inbox", f"{number}"), 0.0)
    assert len(doubts._doubted_at) <= ENTRIES
