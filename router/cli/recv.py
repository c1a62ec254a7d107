"""`hubex recv`: read a test client's inboxes, to try the hub by hand."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from router.cli.fail import fail
from router.client.connect import ClientError
from router.client.recv import receive
from router.settings.config import find_config, load_config
from router.settings.strict import SettingsError


def register(app: typer.Typer) -> None:
    """Adds the command `recv` to `app`."""
    app.command(name="recv")(run)


def run(
    client: Annotated[str, typer.Option("--as", metavar="CLIENT", help="Which client reads; marked test = true.")],
    ack: Annotated[
        bool, typer.Option("--ack", help="Answer each message by its functional acknowledgement (RC-REF).")
    ] = False,
    body: Annotated[bool, typer.Option("--body", help="Print the bodies too.")] = False,
    count: Annotated[int, typer.Option(min=0, metavar="N", help="End after so many; 0: at Ctrl-C.")] = 0,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="S", help="End after so many seconds.")] = None,
    vhost: Annotated[str, typer.Option(help="As a rule the first one that the client is on.")] = "",
    config: Annotated[Path | None, typer.Option(help="The configuration file (TOML).")] = None,
) -> None:
    """Print what arrives for a test client and acknowledge it. Never beside another consumer.

    Exit code 1 when the time was up before N messages had come."""
    try:
        settings = load_config(find_config(config, os.environ), os.environ)
        work = receive(
            settings, client, typer.echo, ack=ack, body=body, count=count, timeout_seconds=timeout, vhost=vhost
        )
        read = asyncio.run(work)
    except (ClientError, SettingsError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        # What was printed is settled, all else is back in its queue.
        raise typer.Exit(0) from None
    if count and read < count:
        fail_short(read, count)


def fail_short(read: int, count: int) -> None:
    """The time was up: not the user's mistake, but not what was asked for either."""
    typer.echo(f"hubex: {read} of {count} messages came in time", err=True)
    raise typer.Exit(1)
