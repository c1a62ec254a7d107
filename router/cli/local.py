"""`hubex local`: the private broker for trying things out, started and stopped by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from deploy.local import BrokerNotFound, LocalCluster, LocalClusterError, Shape, Status, state_root
from router.cli.fail import fail

Name = Annotated[str, typer.Option(help="Which local cluster; each has its own folder and ports.")]
WhichNode = Annotated[str, typer.Argument(metavar="NODE", help="Its number, or its name.")]


def register(app: typer.Typer) -> None:
    """Adds the command group `local` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="A private RabbitMQ on this machine, for this machine only.")
    for command in (up, down, status, drain, revive):
        group.command(command.__name__)(command)
    app.add_typer(group, name="local")


def up(
    name: Name = "default",
    nodes: Annotated[int, typer.Option(help="1 or 3, on 127.0.0.11 to 13.", show_default="as it was made, or 1")] = 0,
    lb: Annotated[bool, typer.Option("--lb", help="HAProxy before the three.")] = False,
    netns: Annotated[bool, typer.Option("--netns", help="A network namespace for each of the three (root).")] = False,
) -> None:
    """Start it, or mend it; back when it serves."""
    with _failing():
        asked = Shape(nodes or 1, lb=lb, netns=netns) if nodes or lb or netns else None
        cluster = LocalCluster.open(state_root(), name, asked)
        cluster.up()
        config = cluster.folder / "hubex.toml"
        if not config.exists():
            cluster.write_config(config)
    _show(cluster.status())


def down(
    name: Name = "default",
    wipe: Annotated[bool, typer.Option("--wipe", help="Also delete its messages, secrets and logs.")] = False,
) -> None:
    """Stop it. Its data stay, unless they are wiped."""
    with _failing():
        cluster = LocalCluster.open(state_root(), name)
        if wipe:
            cluster.destroy()
        else:
            cluster.down()
    typer.echo(f"{name}: down" + (", and nothing is left of it" if wipe else ""))


def status(name: Name = "default") -> None:
    """Say what runs. Exit code 1 when it does not serve."""
    with _failing():
        found = LocalCluster.open(state_root(), name).status()
    _show(found)
    raise typer.Exit(0 if found.serving else 1)


def drain(node: WhichNode, name: Name = "default") -> None:
    """Put a node into maintenance: no clients, no leaders. Refused when a queue would lose its majority."""
    with _failing():
        cluster = LocalCluster.open(state_root(), name)
        cluster.drain(cluster.node(node))
    typer.echo(f"{node}: in maintenance; hubex local revive {node}")


def revive(node: WhichNode, name: Name = "default") -> None:
    """Take a node back into service, with its share of the leaders."""
    with _failing():
        cluster = LocalCluster.open(state_root(), name)
        cluster.revive(cluster.node(node))
    typer.echo(f"{node}: in service")


@contextmanager
def _failing() -> Iterator[None]:
    """What goes wrong with the cluster ends the command with a line."""
    try:
        yield
    except (LocalClusterError, BrokerNotFound, ValueError, OSError) as error:
        fail(str(error))


def _show(found: Status) -> None:
    state = "serving" if found.serving else "not whole" if found.pids else "down"
    typer.echo(f"{found.name}: {state}")
    for program, pid in found.pids.items():
        typer.echo(f"  {program:<19} pid {pid}")
    for server, said in found.behind.items():
        typer.echo(f"  {server:<19} {said}")
    if found.pids:
        typer.echo(f"  AMQP                {found.address}:{found.amqp_port}")
        typer.echo(f"  management          {found.management_url}")
        typer.echo(f"  secrets             {found.folder / 'secrets'}")
        typer.echo(f"  configuration       --config {found.folder / 'hubex.toml'}")
