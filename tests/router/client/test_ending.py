import asyncio
import time

from router.client.ending import ended, tried


async def deaf(cancels: int) -> None:
    """Ignores so many cancels."""
    for _ in range(cancels):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(60)


async def failing() -> None:
    raise ValueError


def test_tasks_end_though_they_miss_a_cancel() -> None:
    async def work() -> list[bool]:
        tasks = [asyncio.create_task(each) for each in (deaf(2), deaf(0), failing(), asyncio.sleep(0))]
        await asyncio.sleep(0.01)
        await ended(*tasks)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(work()) == [True, True, False, False]


def test_a_try_takes_its_time_and_no_more() -> None:
    async def work() -> float:
        started = time.monotonic()
        await tried(deaf(1), 0.05)
        await tried(failing(), 5)
        await tried(asyncio.sleep(0), 5)
        return time.monotonic() - started

    assert 0.05 <= asyncio.run(work()) < 2
