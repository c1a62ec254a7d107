"""A worker process: one uvloop, one session per vhost, until the supervisor or a signal ends it.

Law: SIGTERM, SIGINT or the end of the supervisor drain by a deadline; a second signal closes at once; SIGHUP replaces
the rules between two decisions, or keeps the old ones whole and says why.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

import uvloop
from yarl import URL

from router.core import names
from router.core.delivery import Role
from router.core.directory import Client, Directory, DirectoryError
from router.core.rules import Rules
from router.core.shards import TopologyVersion
from router.observe.events import Level
from router.observe.logs import EventLog
from router.observe.metrics import FLUSH_SECONDS, Counts, name_metric_files
from router.observe.recorder import Recorder
from router.process.heartbeat import AFTER_CRASH_VARIABLE, SupervisorLink, supervised_workers
from router.session.pair import Source
from router.session.vhost import Settings, VhostSession
from router.settings.config import Config, ConfigError, Fault, load_config
from router.settings.directory_file import read_directory
from router.settings.packs import load_packs
from router.settings.strict import SettingsError
from router.settings.topology_file import read_topology
from validators import Pack

ORPHAN_DRAIN_SECONDS: Final = 8.0
"""A worker without supervisor is gone within 10 s (DELIVERY.md 11)."""
UNCONFIRMED_MAX_BYTES: Final = 64 * 1024 * 1024
"""Bodies kept until their confirm, beside `undecided_max_bytes`: together they bound a worker's memory."""


def rules_of(config: Config, packs: dict[str, Pack]) -> dict[str, Rules]:
    """The rules of every vhost, from the directory and topology files; `packs` by vhost. Raises SettingsError,
    DirectoryError."""
    clients = read_directory(config.directory.file, config.directory.extra_ids)
    topology = read_topology(config.topology.file)
    return {vhost.name: _rules(config, vhost.name, packs[vhost.name], clients, topology) for vhost in config.vhosts}


def _rules(
    config: Config,
    vhost: str,
    pack: Pack,
    clients: tuple[Client, ...],
    topology: dict[str, TopologyVersion],
) -> Rules:
    if vhost not in topology:
        fault = Fault(str(config.topology.file), f"has no vhost {vhost!r}", "what `hubex topology apply` writes")
        raise ConfigError(fault)
    return Rules(
        vhost,
        Directory(clients, vhost),
        topology[vhost],
        pack,
        config.delivery.max_message_bytes,
        int(config.delivery.inbox_ttl_seconds * 1000),
    )


def sources_of(shards: int) -> list[Source]:
    """Every queue that a vhost's workers consume: the shards, then the hub's own."""
    return [
        *(Source(names.shard_queue(shard), Role.SHARD, shard) for shard in range(shards)),
        Source(names.UNKNOWN_QUEUE, Role.UNKNOWN),
        Source(names.DEAD_INBOX, Role.DEAD_INBOX),
        Source(names.DEAD_SHARD, Role.DEAD_SHARD),
        Source(names.DEAD_PARKED, Role.DEAD_PARKED),
    ]


class Worker:
    """The live worker. `run` returns the exit code."""

    def __init__(self, config: Config, path: Path | None, index: int) -> None:
        self._config, self._path, self._index = config, path, index
        self._workers = supervised_workers(os.environ)
        self._log = EventLog(config.log.target, worker=index)
        self._counts = Counts()
        self._packs = load_packs(config)
        self._sessions: dict[str, VhostSession] = {}
        self._recorders: dict[str, Recorder] = {}
        self._why: dict[str, str] = {}
        self._link = SupervisorLink.from_environment(os.environ)
        self._stop = asyncio.Event()
        self._drain_seconds = config.workers.drain_seconds
        self._stop_now = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """Until a stop is asked for and carried out."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._link.start(self._orphaned)
        for vhost, rules in rules_of(self._config, self._packs).items():
            self._start_session(vhost, rules)
        _collect_all()
        flusher = loop.create_task(self._flush_often())
        tasks = [loop.create_task(session.run()) for session in self._sessions.values()]
        for task in tasks:
            task.add_done_callback(self._session_ended)
        await self._stop.wait()
        stops = [loop.create_task(session.stop(self._drain_seconds)) for session in self._sessions.values()]
        await asyncio.wait(
            [loop.create_task(self._drained(stops, tasks)), loop.create_task(_wait(self._stop_now))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in (*tasks, flusher):
            task.cancel()
        await asyncio.gather(*tasks, flusher, return_exceptions=True)
        self._flush(force=True)
        self._link.close()
        self._log.close(2.0)
        failed = any(not task.cancelled() and task.exception() is not None for task in tasks)
        return 1 if failed else 0

    def _start_session(self, vhost: str, rules: Rules) -> None:
        config = self._config
        recorder = Recorder(self._log, self._counts, self._index, vhost)
        sources = sources_of(rules.topology.shards)
        own = sources[self._index % self._workers :: self._workers]
        self._recorders[vhost] = recorder
        self._sessions[vhost] = VhostSession(
            lambda role: self._url(vhost, role),
            rules,
            own,
            [source for source in sources if source not in own],
            Settings(
                tag=f"hubex.{os.getpid()}.{self._index}",
                prefetch=config.workers.prefetch,
                confirm_timeout_seconds=config.delivery.confirm_timeout_seconds,
                undecided_max_bytes=config.workers.undecided_max_bytes,
                unconfirmed_max_bytes=UNCONFIRMED_MAX_BYTES,
                # The broker refuses larger ones; twice that is another broker's limit, or garbage.
                max_body_bytes=2 * config.delivery.max_message_bytes,
                cautious=AFTER_CRASH_VARIABLE in os.environ,
            ),
            recorder,
            lambda ready, why: self._session_status(vhost, ready, why),
        )

    def _url(self, vhost: str, role: str) -> URL:
        broker = self._config.broker
        return URL.build(
            scheme="amqp",
            user=broker.user,
            password=broker.secret(),
            host=broker.host,
            port=broker.port,
            path="/" + vhost.replace("/", "%2F"),
            query={"heartbeat": str(broker.heartbeat_seconds), "name": f"hubex worker {self._index} {role}"},
        )

    # ---- what happens ----------------------------------------------------------------------------

    def _session_status(self, vhost: str, ready: bool, why: str) -> None:
        before = self._why.get(vhost)
        self._why[vhost] = why
        if ready and before != "":
            self._recorders[vhost].notice("info", "session_ready", "consuming")
        elif not ready and why != "stopped":
            self._recorders[vhost].notice("warning", "session_down", why)
        waiting = [f"{name}: {reason}" for name, reason in self._why.items() if reason]
        missing = [name for name in self._sessions if name not in self._why]
        self._link.ready(not waiting and not missing, "; ".join(waiting or missing))

    def _session_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._notice("error", "session_crashed", type(error).__name__)
            self._stop.set()

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    def _orphaned(self) -> None:
        self._notice("warning", "orphaned", "the supervisor is gone: draining")
        self._drain_seconds = min(self._drain_seconds, ORPHAN_DRAIN_SECONDS)
        self._stop.set()

    async def _drained(self, stops: list[asyncio.Task[None]], runs: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*stops, return_exceptions=True)
        await asyncio.wait(runs, timeout=3.0)

    def _reload(self) -> None:
        """One reload after the other: the last one asked for has the last word."""
        before = self._reloading

        async def in_turn() -> None:
            if before is not None:
                await asyncio.wait({before})
            await self._reload_now()

        self._reloading = asyncio.get_running_loop().create_task(in_turn())

    async def _reload_now(self) -> None:
        try:
            config = load_config(self._path, os.environ)
            # In a thread: a pack takes a tenth of a second, and the loop goes on meanwhile.
            fresh = rules_of(config, await asyncio.to_thread(load_packs, config))
            self._fits(fresh)
        except (SettingsError, DirectoryError) as error:
            self._notice("error", "reload_refused", str(error))
            return
        except Exception as error:  # our bug: the old rules stay, and it is said
            self._notice("error", "reload_refused", f"internal error: {type(error).__name__}")
            return
        for vhost, session in self._sessions.items():
            session.reload(fresh[vhost])
        self._notice("info", "reloaded", "directory, topology and model packs are new")
        del fresh
        _collect_all()

    def _fits(self, fresh: dict[str, Rules]) -> None:
        """Raises ConfigError when the new rules ask for more than the running sessions can change."""
        if fresh.keys() != self._sessions.keys():
            raise ConfigError(Fault("vhosts", "has other names", "a restart of the workers"))
        for vhost, session in self._sessions.items():
            if fresh[vhost].topology.shards != session.rules.topology.shards:
                raise ConfigError(Fault("topology.shards", "has changed", "a restart of the workers"))

    # ---- the clock -------------------------------------------------------------------------------

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._flush()

    def _flush(self, force: bool = False) -> None:
        cell = self._counts.cell
        for vhost, session in self._sessions.items():
            for name, value in session.gauges().items():
                cell(f"hubex_{name}", vhost).n = value
            for role, now in session.connection_states().items():
                for state in ("open", "blocked", "down"):
                    cell("hubex_connections", vhost, role, state).n = int(state == now)
                cell("hubex_connection_failures_total", vhost, role).n = session.failures[role]
            cell("hubex_blocked_seconds_total", vhost).n = session.blocked_seconds
        lost = self._counts.cell("hubex_log_lines_lost_total")
        lost.n = self._log.lost_lines
        self._counts.cell("hubex_loop_lag_seconds").n = self._link.lag_seconds
        self._log.flush()
        self._counts.flush(time.monotonic(), force=force)

    def _notice(self, level: Level, name: str, text: str) -> None:
        recorder = next(iter(self._recorders.values()), None)
        if recorder is not None:
            recorder.notice(level, name, text)


def main(arguments: list[str] | None = None) -> int:
    """`python -m router.process.worker --index I [--config PATH]`; the supervisor's command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--config", type=Path, default=None)
    options = parser.parse_args(arguments)
    name_metric_files(options.index)
    try:
        config = load_config(options.config, os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(config, options.config, options.index))
    except (SettingsError, DirectoryError) as error:
        print(f"hubex: {error}", file=sys.stderr)
        return 2


YOUNG_OBJECTS: Final = 50_000
"""Between two collections (Python's own: 700). A message makes no cycles; one made to cost makes 300 000 objects, and
collections on the way would double its time."""


def _collect_all() -> None:
    """What is loaded lives until the next reload: a full collection need not look at it again (20 ms of it). Packs are
    full of cycles: those of before a reload go here, or never."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _run(config: Config, path: Path | None, index: int) -> int:
    return await Worker(config, path, index).run()


if __name__ == "__main__":
    sys.exit(main())
