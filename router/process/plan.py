"""What the supervisor is told, and its rules of time as pure code: when a worker hangs, when it starts again."""

import os
from pathlib import Path

from msgspec import Struct

from router.settings.config import Config

WORKER_MODULE = "router.process.worker"


class Plan(Struct, frozen=True, kw_only=True):
    """How many workers, of which module, and the patience with them. Tests pass shorter times."""

    workers: int
    config_path: Path | None = None
    worker_module: str = WORKER_MODULE
    startup_seconds: float = 60.0
    """Until the first beat: imports, schemas and the log may be slow on a busy machine."""
    heartbeat_timeout_seconds: float = 10.0
    stack_seconds: float = 0.3
    """Between asking a hung worker for its stack and killing it."""
    drain_seconds: float = 20.0
    grace_seconds: float = 3.0
    """Beyond the drain, which the worker times itself: to write its log and go."""
    close_seconds: float = 2.0
    """To go after a second signal."""
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 30.0
    steady_seconds: float = 60.0
    """A worker that lived so long has not failed at boot: its back-off begins anew."""


def plan_for(config: Config, config_path: Path | None) -> Plan:
    """The plan of a configuration; `config_path` is handed to the workers."""
    return Plan(
        workers=config.workers.count or len(os.sched_getaffinity(0)),
        config_path=None if config_path is None else config_path.absolute(),
        heartbeat_timeout_seconds=config.workers.heartbeat_timeout_seconds,
        drain_seconds=config.workers.drain_seconds,
    )


class Backoff:
    """The pauses between one worker's restarts: none, then 0.5 s doubling up to 30 s, until it lives for 60 s."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._failures = 0

    def after(self, alive_seconds: float) -> float:
        """The pause in seconds after a death at the age of `alive_seconds`."""
        if alive_seconds >= self._plan.steady_seconds:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        doublings = min(self._failures - 2, 30)
        return float(min(self._plan.first_backoff_seconds * 2**doublings, self._plan.longest_backoff_seconds))


def hang_deadline(plan: Plan, started_at: float, last_beat_at: float | None) -> float:
    """The time at which a worker that stays silent counts as hung."""
    if last_beat_at is None:
        return started_at + plan.startup_seconds
    return last_beat_at + plan.heartbeat_timeout_seconds
