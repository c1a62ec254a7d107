"""The supervisor: starts the workers, watches them, ends them. No event loop, no message.

Law: a dead worker is started again (back-off), a hung one is killed first; every death is logged with its exit
code or signal. A stop drains by a deadline, a second signal closes at once, and nothing outlives the deadline.
"""

import selectors
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from router.observe.events import Fact, Level, Notice
from router.observe.logs import EventLog
from router.observe.metrics import metric_file_id
from router.process.child import Child
from router.process.plan import Plan
from router.process.signals import SignalQueue
from router.process.status import HubStatus, Phase

LONGEST_TURN_SECONDS = 1.0
LATE_SECONDS = 1.0  # a turn so late means that the supervisor or the machine stood still
WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Supervisor:
    """`run` in the main thread; `status` from any. Messages go to `log`; `metrics_folder` is the workers'."""

    def __init__(
        self,
        plan: Plan,
        log: EventLog,
        metrics_folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._log = log
        self._metrics_folder = metrics_folder
        self._clock = clock
        self._children = [Child(index, plan, metrics_folder) for index in range(plan.workers)]
        self._selector = selectors.DefaultSelector()
        self._phase = Phase.RUNNING
        self._deadline: float | None = None
        self._clean = True
        self._turn_seconds = min(LONGEST_TURN_SECONDS, plan.heartbeat_timeout_seconds / 4)
        self.status = HubStatus(clock(), self._phase, ())

    def run(self) -> int:
        """Runs the hub until it is told to stop: 0 after a clean drain, 1 when a worker had to be killed,
        ended badly or was closed by a second signal."""
        with SignalQueue(WATCHED) as signals, self._selector:
            self._selector.register(signals.reader, selectors.EVENT_READ)
            self._tell("info", "hub_started", f"starting {self._plan.workers} workers")
            now = self._clock()
            while True:
                self._look_after(now)
                if self._phase is not Phase.RUNNING and not any(c.process for c in self._children):
                    break
                now = self._next_turn(now)
                for number in signals.take():
                    self._obey(number, now)
        self._tell("info", "hub_stopped", "stopped" if self._clean else "stopped, not cleanly")
        return 0 if self._clean else 1

    def _next_turn(self, now: float) -> float:
        """Waits for a signal, a word of a worker or the next deadline; the time after it."""
        due = [self._deadline] if self._deadline is not None else []
        due += [at for child in self._children for at in (child.restart_at, child.kill_at) if at is not None]
        wait_seconds = max(0.0, min([now + self._turn_seconds, *due]) - self._clock())
        ready = self._selector.select(wait_seconds)
        after = self._clock()
        late_seconds = after - now - self._turn_seconds
        for key, _ in ready:
            child: Child | None = key.data
            if child is not None and not child.read(after):
                self._unlink(child)
        if late_seconds > LATE_SECONDS:
            for child in self._children:
                child.grant(late_seconds)
        return after

    def _look_after(self, now: float) -> None:
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, now)
            if child.reload_due and child.beaten:
                child.reload_due = False
                child.signal(signal.SIGHUP)
            if child.silent_too_long(now):
                self._tell("error", "worker_hangs", "the event loop hangs: killing it", child)
                child.condemn(now)
            if child.kill_at is not None and now >= child.kill_at:
                child.kill_at = None
                child.signal(signal.SIGKILL)
            if child.restart_at is not None and now >= child.restart_at:
                self._start(child, now)
        if self._deadline is not None and now >= self._deadline:
            self._kill_all()
        self.status = HubStatus(now, self._phase, tuple(child.status() for child in self._children))
        self._log.flush()

    def _start(self, child: Child, now: float) -> None:
        try:
            child.start(now)
        except OSError as error:
            child.gone(now, again=True)
            self._tell("error", "worker_not_started", f"cannot start: {error.strerror}", child)
            return
        assert child.link is not None
        self._selector.register(child.link, selectors.EVENT_READ, child)
        self._tell("info", "worker_started", "started", child)

    def _bury(self, child: Child, now: float) -> None:
        assert child.process is not None
        if child.link is not None:
            child.read(now)  # its last words
            self._unlink(child)
        code, pid, beaten = child.process.returncode, child.process.pid, child.beaten
        running = self._phase is Phase.RUNNING
        mark_process_dead(metric_file_id(child.index), str(self._metrics_folder))  # type: ignore[no-untyped-call]
        cause, alive_seconds = child.gone(now, again=running)
        # A worker that was told to stop before it could listen dies of the signal: nothing was in its hands.
        expected = not running and (code == 0 or (code == -signal.SIGTERM and not beaten))
        self._clean = self._clean and (running or expected)
        facts: dict[str, Fact] = {"pid": pid, "alive_seconds": round(alive_seconds, 3)}
        facts |= {"exit_code": code} if code >= 0 else {"signal": _signal_name(-code)}
        if running and child.restart_at is not None:
            facts["restart_in_seconds"] = round(child.restart_at - now, 3)
        text = "ended" if expected else f"died ({cause})"
        self._tell("info" if expected else "error", "worker_ended", text, child, facts)

    def _unlink(self, child: Child) -> None:
        if child.link is not None:
            self._selector.unregister(child.link)
            child.close_link()

    def _obey(self, number: signal.Signals, now: float) -> None:
        if number == signal.SIGHUP:
            self._reload()
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop(number, now)

    def _reload(self) -> None:
        self._tell("info", "reload", "reloading the clients directory and the topology")
        for child in self._children:
            if child.process is not None:
                child.reload_due = True  # sent once it beats: before that the signal would end it

    def _stop(self, number: signal.Signals, now: float) -> None:
        if self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING
            self._deadline = now + self._plan.drain_seconds + self._plan.grace_seconds
            text = f"{number.name}: draining for at most {self._plan.drain_seconds:g} s"
        elif self._phase is Phase.DRAINING:
            self._phase, self._clean = Phase.CLOSING, False
            self._deadline = now + self._plan.close_seconds
            text = f"{number.name} again: closing at once"
        else:
            self._deadline = now
            text = f"{number.name} once more: killing the workers"
        self._tell("info", "hub_stopping", text)
        for child in self._children:
            child.restart_at = None
            child.signal(signal.SIGTERM)

    def _kill_all(self) -> None:
        self._deadline = None
        for child in self._children:
            if child.process is not None:
                self._clean = False
                self._tell("error", "worker_killed", "did not stop by the deadline: killing it", child)
                child.signal(signal.SIGKILL)

    def _tell(
        self, level: Level, name: str, text: str, child: Child | None = None, facts: dict[str, Fact] | None = None
    ) -> None:
        known: dict[str, Fact] = {} if facts is None else facts
        if child is not None and child.process is not None:
            known = {"pid": child.process.pid, **known}
        worker = None if child is None else child.index
        self._log.event(Notice(at=datetime.now(UTC), worker=worker, level=level, name=name, text=text, facts=known))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
