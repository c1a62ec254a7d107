"""A worker's side of the link to its supervisor.

Law: the beat is sent by the event loop itself, so a loop that hangs falls silent. The end of file on the
link means that the supervisor is gone: the worker drains and exits. Nothing here waits: what the supervisor
does not read is sent with a later beat.
"""

import asyncio
import faulthandler
import signal
import socket
from collections.abc import Callable, Mapping

import msgspec

FD_VARIABLE = "HUBEX_SUPERVISOR_FD"
WORKERS_VARIABLE = "HUBEX_WORKERS"
AFTER_CRASH_VARIABLE = "HUBEX_AFTER_CRASH"  # set for a worker whose predecessor did not end by itself with 0
BEAT_SECONDS = 1.0
STACK_SIGNAL = signal.SIGUSR1  # the supervisor asks a hung worker where it stands, before it kills it


class Beat(msgspec.Struct):
    """`{"beat": n}`: the loop has turned."""

    beat: int


class Ready(msgspec.Struct):
    """`{"ready": true, "why": ""}`: the worker's readiness changed."""

    ready: bool
    why: str


class SupervisorLink:
    """The link of one worker. Without a descriptor (a worker run by hand, a test) it does nothing.

    Belongs to the event loop's thread. `lag_seconds` is how late the loop last came to the beat.
    """

    def __init__(self, fd: int | None) -> None:
        self._socket: socket.socket | None = None
        if fd is not None:
            self._socket = socket.socket(fileno=fd)  # OSError when it is not a socket
            self._socket.setblocking(False)
            self._socket.set_inheritable(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._on_gone: Callable[[], None] = _ignore
        self._beat_seconds = BEAT_SECONDS
        self._beats = 0
        self._ready: Ready | None = None
        self._ready_sent: Ready | None = None
        self._rest = b""
        self.lag_seconds = 0.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "SupervisorLink":
        """The link whose descriptor the supervisor named in the environment, or one that does nothing."""
        named = environ.get(FD_VARIABLE)
        return cls(int(named) if named else None)

    def start(self, on_gone: Callable[[], None], *, beat_seconds: float = BEAT_SECONDS) -> None:
        """Begins to beat on the running loop. `on_gone` is called once, when the supervisor is gone."""
        self._loop = asyncio.get_running_loop()
        if self._socket is None:
            return
        faulthandler.register(STACK_SIGNAL, file=2, all_threads=True)
        self._on_gone = on_gone
        self._beat_seconds = beat_seconds
        self._loop.add_reader(self._socket, self._read)
        self._beat(self._loop.time())

    def ready(self, ready: bool, why: str = "") -> None:
        """Tells whether the worker is ready, and if not why in a few words (no payload value). Repeats of
        what was said cost nothing."""
        said = Ready(ready, why)
        if said != self._ready:
            self._ready = said
            self._send()

    def close(self) -> None:
        """Ends the link; `on_gone` is not called for it. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _beat(self, due: float) -> None:
        assert self._loop is not None
        now = self._loop.time()
        self.lag_seconds = max(0.0, now - due)
        self._beats += 1
        self._send(Beat(self._beats))
        if self._socket is not None:
            due = now + self._beat_seconds
            self._timer = self._loop.call_at(due, self._beat, due)

    def _send(self, beat: Beat | None = None) -> None:
        """Sends what is left of the last line, a changed readiness and the beat. A link that takes nothing
        keeps at most one line: beats are skipped, the last readiness is not."""
        if self._socket is None:
            return
        data = self._rest
        if not data and self._ready is not None and self._ready != self._ready_sent:
            data += msgspec.json.encode(self._ready) + b"\n"
            self._ready_sent = self._ready
        if beat is not None and not self._rest:
            data += msgspec.json.encode(beat) + b"\n"
        try:
            sent = self._socket.send(data, socket.MSG_NOSIGNAL) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._gone()
            return
        self._rest = data[sent:]

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # the supervisor never writes: what could be read would be ignored
            self._gone()

    def _gone(self) -> None:
        on_gone, self._on_gone = self._on_gone, _ignore
        self.close()
        on_gone()


def _ignore() -> None:
    return None


def supervised_workers(environ: Mapping[str, str]) -> int:
    """How many workers the hub has, this one included; 1 for a worker run by hand."""
    return int(environ.get(WORKERS_VARIABLE) or "1")
