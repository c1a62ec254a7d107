"""`hubex send`: publish one message as a client, to try the hub by hand."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from router.cli.fail import fail
from router.client.connect import ClientError
from router.client.printable import printable
from router.client.send import fresh_body, send, with_recipient
from router.core.names import KINDS
from router.settings.config import find_config, load_config
from router.settings.strict import SettingsError


def register(app: typer.Typer) -> None:
    """Adds the command `send` to `app`."""
    app.command(name="send")(run)


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body, JSON or XML; - is standard input.")],
    client: Annotated[str, typer.Option("--as", metavar="CLIENT", help="Which client sends it.")],
    to: Annotated[str, typer.Option(metavar="ID", help="Put this recipient into the envelope.")] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="A new distributionID, the client as sender, dates from now.")
    ] = False,
    kind: Annotated[str, typer.Option(help=f"Whose key: {', '.join(KINDS)}. As a rule distributionKind says it.")] = "",
    vhost: Annotated[str, typer.Option(help="As a rule the first one that the client is on.")] = "",
    config: Annotated[Path | None, typer.Option(help="The configuration file (TOML).")] = None,
) -> None:
    """Publish a message as a client: its own key, persistent, mandatory; back when the broker has confirmed."""
    if kind and kind not in KINDS:
        fail(f"--kind is one of {', '.join(KINDS)}")
    try:
        body = _read(file)
        if fresh:
            body = fresh_body(body, client, to)
        elif to:
            body = with_recipient(body, to)
        settings = load_config(find_config(config, os.environ), os.environ)
        sent = asyncio.run(send(settings, client, body, kind=kind, vhost=vhost))
    except (ClientError, SettingsError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    name = printable(sent.distribution_id) or "a message without distributionID"
    typer.echo(f"sent {name}  key {sent.key}  confirmed in {sent.latency_ms:.1f} ms")


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")
