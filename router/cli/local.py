"""`hubex local`: the private broker for trying things out, started and stopped by hand."""

from typing import Annotated

import typer

from deploy.local import BrokerNotFound, LocalCluster, LocalClusterError, Status, state_root
from router.cli.fail import fail

Name = Annotated[str, typer.Option(help="Which local cluster; each has its own folder and ports.")]


def register(app: typer.Typer) -> None:
    """Adds the command group `local` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="A private RabbitMQ on this machine, on loopback only.")
    group.command("up")(up)
    group.command("down")(down)
    group.command("status")(status)
    app.add_typer(group, name="local")


def up(name: Name = "default") -> None:
    """Start it, or mend it; back when it serves."""
    cluster = _cluster(name)
    try:
        cluster.up()
        config = cluster.folder / "hubex.toml"
        if not config.exists():
            cluster.write_config(config)
    except (LocalClusterError, BrokerNotFound, OSError) as error:
        fail(str(error))
    _show(cluster.status())


def down(
    name: Name = "default",
    wipe: Annotated[bool, typer.Option("--wipe", help="Also delete its messages, secrets and logs.")] = False,
) -> None:
    """Stop it. Its data stay, unless they are wiped."""
    cluster = _cluster(name)
    try:
        if wipe:
            cluster.destroy()
        else:
            cluster.down()
    except (LocalClusterError, OSError) as error:
        fail(str(error))
    typer.echo(f"{name}: down" + (", and nothing is left of it" if wipe else ""))


def status(name: Name = "default") -> None:
    """Say what runs. Exit code 1 when it does not serve."""
    found = _cluster(name).status()
    _show(found)
    raise typer.Exit(0 if found.serving else 1)


def _cluster(name: str) -> LocalCluster:
    try:
        return LocalCluster.open(state_root(), name)
    except (ValueError, OSError) as error:
        fail(str(error))


def _show(found: Status) -> None:
    state = "serving" if found.serving else "not serving" if found.pids else "down"
    typer.echo(f"{found.name}: {state}")
    for program, pid in found.pids.items():
        typer.echo(f"  {program:<16} pid {pid}")
    if found.serving:
        typer.echo(f"  AMQP             127.0.0.1:{found.amqp_port}")
        typer.echo(f"  management       {found.management_url}")
        typer.echo(f"  secrets          {found.folder / 'secrets'}")
        typer.echo(f"  configuration    --config {found.folder / 'hubex.toml'}")
