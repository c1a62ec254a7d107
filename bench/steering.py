"""How a load process is steered: its job and then words on standard input, its state as JSON lines on standard output.

A process whose parent is gone reads the end of its input and stops: no load outlives its run.
"""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
import uvloop

STATUS_SECONDS: Final = 0.2
LENGTH_BYTES: Final = 12
STOP: Final = "stop"
"""No new messages; finish what is begun, then end."""
FENCE: Final = "fence"
"""Read every inbox up to now, then end."""
END: Final = "end"
"""End now, whatever is open."""

Job = TypeVar("Job")


def main(kind: type[Job], work: Callable[[Job, "Steering"], Awaitable[None]]) -> None:
    """Entry point of a load process: read the job, do the work, end with code 0."""
    job = msgspec.json.decode(_exactly(int(_exactly(LENGTH_BYTES))), type=kind)
    gc.freeze()
    uvloop.run(_run(job, work))


def with_length(job: bytes) -> bytes:
    """A job as it is written to the process: its length in `LENGTH_BYTES` digits, then itself."""
    return f"{len(job):0{LENGTH_BYTES}d}".encode() + job


def _exactly(count: int) -> bytes:
    """`count` bytes of standard input and not one more: the words behind them are for the event loop."""
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            raise EOFError("the job is cut")
        data += piece
    return data


async def _run(job: Job, work: Callable[[Job, "Steering"], Awaitable[None]]) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    steering = Steering()
    listening = asyncio.create_task(steering.listen(reader))
    try:
        await work(job, steering)
    finally:
        listening.cancel()
        transport.close()


class Steering:
    """The words that have come; `said(word)` is true from then on. The end of the input is END."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self.changed = asyncio.Event()

    def said(self, word: str) -> bool:
        return word in self._words

    async def listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self.hear(line.decode().strip())
        self.hear(END)

    def hear(self, word: str) -> None:
        self._words.add(word)
        self.changed.set()

    async def wait(self, seconds: float) -> None:
        """Until the next word, at most `seconds`."""
        self.changed.clear()
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except TimeoutError:
            return


def tell(state: dict[str, Any]) -> None:
    """One line of state to the parent; a parent that is gone is noticed by `listen`."""
    try:
        sys.stdout.write(json.dumps(state) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return
