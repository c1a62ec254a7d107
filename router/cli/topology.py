"""`hubex topology`: what the broker should have, compared with what it has, and made so."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from router.cli.fail import fail
from router.core.directory import Client
from router.settings.config import Config, find_config, load_config
from router.settings.directory_file import read_directory
from router.settings.strict import SettingsError
from router.topology import apply as topology
from router.topology.management import ManagementError

ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file (TOML).")]
Force = Annotated[
    bool, typer.Option("--force", help="Park what the inboxes of removed clients hold, instead of keeping them.")
]


def register(app: typer.Typer) -> None:
    """Adds the command group `topology` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Exchanges, queues, policies, users and rights on the broker.")
    group.command("plan")(plan)
    group.command("apply")(apply)
    app.add_typer(group, name="topology")


def plan(config: ConfigFile = None) -> None:
    """Show what `apply` would change. Changes nothing."""
    settings, clients = _settings(config)
    try:
        todo = topology.make_plan(settings, clients, topology.management_of(settings))
    except (SettingsError, ManagementError, OSError) as error:
        fail(str(error))
    for operation in todo.operations:
        typer.echo(str(operation))
    if not todo.operations:
        typer.echo(topology.NOTHING_TO_CHANGE)
    for thing in todo.left_alone:
        typer.echo(f"  not the hub's, left alone: {thing}")
    if todo.faults:
        fail(str(topology.TopologyRefused(*todo.faults)))


def apply(force: Force = False, config: ConfigFile = None) -> None:
    """Make the broker as the configuration and the clients directory want it. A second time changes nothing.

    Inboxes of clients that are gone from the directory are deleted when they are empty; otherwise their
    client is kept, and the command ends with exit code 2.
    """
    settings, clients = _settings(config)
    try:
        done = topology.apply(settings, clients, topology.management_of(settings), force=force, say=typer.echo)
    except (SettingsError, ManagementError, OSError) as error:
        fail(str(error))
    if done.file_written:
        typer.echo(f"{settings.topology.file} written; a running router reads it on SIGHUP")
    if done.kept:
        _kept(done, force)


def _kept(done: topology.Applied, force: bool) -> NoReturn:
    advice = "" if force else "; `--force` parks what they hold"
    fail("; ".join(str(kept) for kept in done.kept) + advice)


def _settings(option: Path | None) -> tuple[Config, tuple[Client, ...]]:
    try:
        settings = load_config(find_config(option, os.environ), os.environ)
        return settings, read_directory(settings.directory.file, settings.directory.extra_ids)
    except SettingsError as error:
        fail(str(error))
