"""`hubex run`: the hub itself, a supervisor and its workers, until a signal ends it."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from router.cli.fail import fail
from router.observe.logs import EventLog
from router.observe.sink import check_target
from router.process.http import HealthServer
from router.process.metrics_folder import MetricsFolder
from router.process.plan import plan_for
from router.process.supervisor import Supervisor
from router.process.vitals import Vitals, registry_of
from router.settings.config import Config, find_config, load_config
from router.settings.directory_file import read_directory
from router.settings.packs import load_packs
from router.settings.strict import SettingsError
from router.settings.topology_file import read_topology


def register(app: typer.Typer) -> None:
    """Adds the command `run` to `app`."""
    app.command(name="run")(run)


def run(
    config: Annotated[Path | None, typer.Option(help="The configuration file (TOML).")] = None,
) -> None:
    """Run the hub. SIGTERM drains, a second one closes at once, SIGHUP reloads clients and topology."""
    try:
        path = find_config(config, os.environ)
        settings = load_config(path, os.environ)
        check(settings)
    except SettingsError as error:
        fail(str(error))
    raise typer.Exit(serve(settings, path))


def check(settings: Config) -> None:
    """What every worker will need: better told once at the start than by each worker for ever. Raises
    SettingsError, or typer.Exit after its line."""
    settings.broker.secret()
    read_directory(settings.directory.file, settings.directory.extra_ids)
    versions = read_topology(settings.topology.file)
    for vhost in settings.vhosts:
        if vhost.name not in versions:
            fail(f"{settings.topology.file}: vhost {vhost.name!r} is not there; run `hubex topology apply`")
    load_packs(settings)


def serve(settings: Config, path: Path | None) -> int:
    """Runs the hub with settings that were checked; its exit code."""
    host, port, target = settings.http.host, settings.http.port, settings.log.target
    try:
        check_target(target)
    except OSError as error:
        fail(f"log.target: cannot write {target} ({error.strerror})")
    try:
        health = HealthServer(host, port)
    except OSError as error:
        fail(f"http: cannot listen on {host}:{port} ({error.strerror})")
    try:
        folder = MetricsFolder()
    except OSError as error:
        fail(f"cannot make a folder for the metrics ({error.strerror or error})")
    log = EventLog(target)
    try:
        supervisor = Supervisor(plan_for(settings, path), log, folder.path)
        vitals = Vitals(lambda: supervisor.status, lambda: log.lost_lines, version("hubex"))
        health.start(registry_of(vitals, folder.path), lambda: supervisor.status)
        return supervisor.run()
    finally:
        health.stop()
        log.close()
        folder.close()
