"""What aiormq raises when the broker or the network fails is the broker's blame, and never a crash of the session."""

import asyncio

import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelClosed

from router.core.errors import BrokerError
from router.session.link import broker_errors


@pytest.mark.parametrize(
    "error",
    [
        AMQPConnectionError("gone"),
        ChannelClosed("closed"),
        ConnectionResetError(),
        TimeoutError(),
        RuntimeError("closing"),
        StopAsyncIteration(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_a_broker_error(error: BaseException) -> None:
    async def fail() -> None:
        async with broker_errors():
            raise error

    with pytest.raises(BrokerError):
        asyncio.run(fail())


def test_a_cancel_of_the_caller_passes() -> None:
    async def fail() -> None:
        async with broker_errors():
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
