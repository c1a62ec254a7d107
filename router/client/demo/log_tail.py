"""The hub's event log, read as it grows: what the dispatcher did, told by the dispatcher itself."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

POLL_SECONDS: Final = 0.01


class LogLine(Struct, frozen=True):
    """The fields of a log line that the demo shows (router/observe/events.py)."""

    event: str = ""
    at: datetime | None = None
    distribution_id: str = ""
    queue: str = ""
    latency_ms: float = 0.0
    status_code: int = 0
    reason: str = ""


class LogTail:
    """Lines of `path` from its present end on. The file may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._lines: list[LogLine] = []
        self._decode = msgspec.json.Decoder(LogLine).decode

    async def find(self, distribution_id: str, events: frozenset[str]) -> LogLine:
        """The first line about this message whose event is one of `events`; waits for it without end."""
        while True:
            self._read()
            for line in self._lines:
                if line.distribution_id == distribution_id and line.event in events:
                    return line
            await asyncio.sleep(POLL_SECONDS)

    def _read(self) -> None:
        """Whole lines only: the rest of a line that is being written comes at the next look."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            try:
                self._lines.append(self._decode(line))
            except msgspec.MsgspecError:
                continue  # another program wrote into the file: not a line of the log
