"""Ends of tasks that keep their promise: bounded, whatever a library does with a cancel.

On Python 3.11 `asyncio.wait_for`, and with it each aiormq call that has a timeout, drops a cancel that comes in
the moment of the answer; and it waits for what it cancels. So a task is cancelled until it is done, and a close is
given its time and no more.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

AGAIN_SECONDS: Final = 0.1


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels the tasks and returns when all are done. What they raised is taken from them."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def tried(work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Does the work for at most so long, then leaves it cancelled behind. What it raised is dropped."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
