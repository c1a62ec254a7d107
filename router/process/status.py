"""What the supervisor knows of its workers at one moment: made by its loop, read by the HTTP threads."""

from enum import StrEnum

from msgspec import Struct


class Phase(StrEnum):
    """How far the hub is from its end."""

    RUNNING = "running"
    DRAINING = "draining"
    CLOSING = "closing"


class Cause(StrEnum):
    """Why a worker had to be started again."""

    EXIT = "exit"
    SIGNAL = "signal"
    HANG = "hang"


class WorkerStatus(Struct, frozen=True):
    """One worker. `pid` is None between a death and the restart; `last_beat_at` is monotonic, None before the
    first beat; `why` says why it is not ready."""

    index: int
    pid: int | None
    live: bool
    ready: bool
    why: str
    last_beat_at: float | None
    restarts: dict[Cause, int]


class HubStatus(Struct, frozen=True):
    """All of it. `at` is the monotonic time of the loop's turn."""

    at: float
    phase: Phase
    workers: tuple[WorkerStatus, ...]

    def reasons(self) -> list[str]:
        """Why the hub is not ready, one reason a worker; empty when it is."""
        if self.phase is not Phase.RUNNING:
            return ["the hub is stopping"]
        if not self.workers:
            return ["no worker was started yet"]
        return [f"worker {w.index}: {w.why or 'not ready'}" for w in self.workers if not (w.live and w.ready)]
