"""Signals as queued facts: a handler does nothing, the number waits in a socket that a selector watches."""

import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any


class SignalQueue:
    """Takes over `numbers` between enter and exit. For the main thread only."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._numbers = tuple(numbers)
        self._former: dict[signal.Signals, Any] = {}
        self._former_fd = -1
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> "SignalQueue":
        self._former_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            self._former[number] = signal.signal(number, _noted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._former_fd)
        self.reader.close()
        self._writer.close()

    def take(self) -> list[signal.Signals]:
        """The signals since the last call, oldest first. Never blocks."""
        try:
            data = self.reader.recv(4096)
        except BlockingIOError:
            return []
        return [signal.Signals(byte) for byte in data if byte in self._numbers]


def _noted(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor has the number already."""
