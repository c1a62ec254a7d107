"""The trial of a suspect inbox: what became of one publish on a connection of its own. The connection is a fake."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from yarl import URL

from router.core.delivery import Delivery
from router.core.errors import BrokerError
from router.core.outcomes import Kind, Outcome
from router.core.outputs import Output
from router.core.properties import numbered, own
from router.lane.inbound import Confirm, Content, Event
from router.session import trial as module
from router.session.trial import TrialLink
from tests.router.core.making import delivery
from tests.router.session.stage import Channel, Publish, publishes


class FakeLink:
    """A connection as a trial sees it."""

    made: list["FakeLink"] = []
    refuses = False

    def __init__(self, url: URL, most: int, on_events: Any, on_writable: Any, on_lost: Any) -> None:
        self.tell: Callable[[list[Event]], None] = on_events
        self.lost: Callable[[str], None] = on_lost
        self.max_frame_bytes = 4096
        self.aborted = 0
        self.written: list[Publish] = []
        self.gate: asyncio.Event | None = None
        FakeLink.made.append(self)

    async def open(self) -> None:
        if FakeLink.refuses:
            raise BrokerError("no")

    async def channel(self, confirms: bool) -> Channel:
        assert confirms
        await asyncio.sleep(0)
        return Channel(5)

    def write(self, data: bytes) -> None:
        self.written += publishes(data)

    def abort(self) -> None:
        self.aborted += 1


def output(name: str = "a") -> Output:
    given: Delivery = delivery(name.encode())
    halves = numbered(own("application/json"), b"", None)
    return Output(Kind.TRIAL, given, "hub.inbox", "x.in.message", halves, name.encode())


def confirm(number: int = 1, stored: bool = True) -> Confirm:
    return Confirm(5, number, False, stored)


def returned(publish: Publish) -> Content:
    return Content(5, 0, False, 312, publish.exchange, publish.key, publish.raw, publish.body)


async def until_written(count: int = 1) -> FakeLink:
    for _ in range(100):
        if FakeLink.made and len(FakeLink.made[-1].written) >= count:
            return FakeLink.made[-1]
        await asyncio.sleep(0)
    raise AssertionError("nothing was published")


def tried(work: Callable[[TrialLink], Awaitable[None]], monkeypatch: pytest.MonkeyPatch, timeout: float = 5.0) -> None:
    monkeypatch.setattr(module, "Link", FakeLink)
    monkeypatch.setattr(FakeLink, "made", [])
    monkeypatch.setattr(FakeLink, "refuses", False)
    asyncio.run(work(TrialLink(URL("amqp://x"), 1000, timeout)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stored, is_returned, outcome",
    ((True, False, Outcome.CONFIRMED), (False, False, Outcome.NACKED), (True, True, Outcome.RETURNED)),
)
def test_the_answer_of_the_broker_is_the_outcome(
    stored: bool, is_returned: bool, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(trial: TrialLink) -> None:
        task = asyncio.ensure_future(trial.attempt(output()))
        link = await until_written()
        events: list[Event] = [returned(link.written[0])] if is_returned else []
        link.tell([*events, confirm(stored=stored)])
        assert await task is outcome
        assert link.aborted == 0

    tried(work, monkeypatch)


def test_the_connection_is_kept_and_its_publishes_numbered_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        for number in (1, 2, 3):
            task = asyncio.ensure_future(trial.attempt(output()))
            link = await until_written(number)
            assert link.written[-1].number == number and len(FakeLink.made) == 1
            link.tell([confirm(number - 1), returned(link.written[0])])  # of an earlier trial: no answer to this one
            await asyncio.sleep(0)
            assert not task.done() or number == 1
            if number > 1:
                link.tell([confirm(number)])
                assert await task is Outcome.CONFIRMED
            else:
                link.tell([confirm(number)])
                assert await task is Outcome.RETURNED

    tried(work, monkeypatch)


def test_silence_cuts_the_connection_and_the_next_trial_makes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        assert await trial.attempt(output()) is Outcome.SILENT
        assert FakeLink.made[0].aborted == 1
        task = asyncio.ensure_future(trial.attempt(output()))
        for _ in range(10):
            await asyncio.sleep(0)
        FakeLink.made[1].tell([confirm(1)])
        assert await task is Outcome.CONFIRMED
        assert [len(link.written) for link in FakeLink.made] == [1, 1]

    tried(work, monkeypatch, timeout=0.02)


def test_a_broker_that_refuses_or_goes_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        FakeLink.refuses = True
        assert await trial.attempt(output()) is Outcome.LOST
        FakeLink.refuses = False
        task = asyncio.ensure_future(trial.attempt(output()))
        link = await until_written()
        link.lost("gone")
        assert await task is Outcome.LOST

    tried(work, monkeypatch)


def test_a_return_that_cannot_be_read_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        task = asyncio.ensure_future(trial.attempt(output()))
        link = await until_written()
        link.tell([returned(link.written[0])._replace(raw_properties=b"\x00\x00")])
        assert await task is Outcome.LOST

    tried(work, monkeypatch)


def test_a_cancel_cuts_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        task = asyncio.ensure_future(trial.attempt(output()))
        link = await until_written()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert link.aborted == 1

    tried(work, monkeypatch)


def test_the_late_loss_of_a_connection_that_was_cut_is_not_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(trial: TrialLink) -> None:
        assert await trial.attempt(output()) is Outcome.SILENT
        trial._timeout_seconds = 5.0
        task = asyncio.ensure_future(trial.attempt(output()))
        await asyncio.sleep(0)
        FakeLink.made[0].lost("cut")  # the socket of the first one says so only now
        for _ in range(10):
            await asyncio.sleep(0)
        FakeLink.made[1].tell([confirm(1)])
        assert await task is Outcome.CONFIRMED

    tried(work, monkeypatch, timeout=0.02)
