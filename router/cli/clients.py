"""`hubex clients`: the clients directory, as a file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from router.cli.fail import fail
from router.core.directory import Client
from router.settings.config import DirectoryConfig, find_config, load_config
from router.settings.directory_file import import_deployed_csv, merge_imported, read_directory, write_directory
from router.settings.strict import SettingsError

ConfigFile = Annotated[Path | None, typer.Option(help="The configuration file (TOML).")]
CsvFile = Annotated[Path, typer.Argument(metavar="CSV", help="client_id;useXML;directCISU;editor")]


def register(app: typer.Typer) -> None:
    """Adds the command group `clients` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="The clients directory.")
    # With one command alone, typer would drop its name.
    group.callback()(lambda: None)
    group.command("import")(import_)
    app.add_typer(group, name="clients")


def import_(csv: CsvFile, config: ConfigFile = None) -> None:
    """Merge a deployed directory (CSV) into the clients directory. Nobody is taken away.

    New clients get the naming `flat`; those that are there keep their naming, vhosts and test mark.
    Comments in the directory below its head are not kept. `hubex topology apply` then makes their queues
    and rights.
    """
    try:
        directory = load_config(find_config(config, os.environ), os.environ).directory
        before = _existing(directory)
        imported = import_deployed_csv(csv.read_bytes().decode("utf-8-sig"), directory.extra_ids)
        after = merge_imported(before, imported, directory.extra_ids)
        if after != before:
            write_directory(directory.file, after)
    except UnicodeDecodeError:
        fail(f"{csv}: is not UTF-8")
    except (SettingsError, OSError) as error:
        fail(str(error))
    known = {client.id: client for client in before}
    changes = [(client, known.get(client.id)) for client in after if known.get(client.id) != client]
    for client, old in changes:
        typer.echo(f"{'+' if old is None else '~'} {client.id}")
    added = sum(old is None for _, old in changes)
    same = len(imported) - len(changes)
    typer.echo(f"{directory.file}: {added} added, {len(changes) - added} changed, {same} as they were")


def _existing(directory: DirectoryConfig) -> tuple[Client, ...]:
    return read_directory(directory.file, directory.extra_ids) if directory.file.exists() else ()
