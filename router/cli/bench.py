"""`hubex bench`: loads on a private broker, and what they say about the hub."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from deploy.local import LocalCluster
from router.cli.fail import fail

DEFAULT_RESULTS = Path("bench/results")

Messages = Annotated[int, typer.Option(min=100, max=2_000_000, help="Messages measured in each round.")]
Prefill = Annotated[bool, typer.Option("--prefill", help="Fill the shards first, then drain them (the only kind yet).")]
Rounds = Annotated[int, typer.Option(min=1, max=50, help="Rounds, each with the router and with the shovel.")]
Clients = Annotated[int, typer.Option(min=2, max=500, help="Clients, each sending to the next.")]
Workers = Annotated[int, typer.Option(min=0, max=64, help="Worker processes; 0: one a core.")]
Shards = Annotated[int, typer.Option(min=1, max=64, help="Dispatch queues.")]
Prefetch = Annotated[int, typer.Option(min=1, max=2000, help="Unsettled messages a shard, router and shovel alike.")]
Seed = Annotated[int, typer.Option(help="Of the bodies: the same seed gives the same messages.")]
Mix = Annotated[str, typer.Option(help="rc-eda (3.3 KB, the headline), first, all, or sample=weight,...")]
RunUp = Annotated[int, typer.Option(min=-1, help="Messages before the measure begins; -1: a tenth of the messages.")]
Against = Annotated[
    str, typer.Option(help="shovel (inside the node: the fastest), shovel-tcp (AMQP on loopback), both, or none.")
]
Results = Annotated[Path, typer.Option(help="Where the result file goes.")]
Cluster = Annotated[str, typer.Option(help="A local cluster that is kept, by name; else one is made and removed.")]


def register(app: typer.Typer) -> None:
    """Adds the command group `bench` to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Measure the hub on a private broker on this machine.")
    # With one command alone, typer would drop its name.
    group.callback()(lambda: None)
    group.command("run")(run)
    app.add_typer(group, name="bench")


def run(
    messages: Messages = 50_000,
    prefill: Prefill = False,
    rounds: Rounds = 5,
    clients: Clients = 50,
    workers: Workers = 0,
    shards: Shards = 8,
    prefetch: Prefetch = 256,
    seed: Seed = 1,
    mix: Mix = "rc-eda",
    run_up: RunUp = -1,
    against: Against = "both",
    results: Results = DEFAULT_RESULTS,
    cluster: Cluster = "",
) -> None:
    """Drain a backlog by the router and by the broker's shovel in turns, and judge every message.

    Rate and CPU lie between markers in the queues, so start-up is outside. Exit code 1 when a message was
    lost, came twice without a mark, or out of order.
    """
    # Only this command pays for what a bench needs.
    from bench.bodies import parse_mix
    from bench.child import LoadError
    from bench.drain import DrainBench
    from bench.results import ROUTER, SHOVEL, SHOVEL_TCP, Options, Round, row, summary, table, write
    from deploy.local import BrokerNotFound, LocalClusterError
    from router.core.errors import BrokerError
    from router.settings.strict import SettingsError
    from router.topology.management import ManagementError

    try:
        parse_mix(mix)
    except ValueError as error:
        fail(f"bench run: {error}")
    known = {"shovel": (SHOVEL,), "shovel-tcp": (SHOVEL_TCP,), "both": (SHOVEL, SHOVEL_TCP), "none": ()}
    if against not in known:
        fail(f"bench run: --against is one of {', '.join(known)}, not {against!r}")
    if not prefill:
        fail("bench run: say --prefill; a load at a rate comes later")
    options = Options(
        messages=messages,
        run_up=messages // 10 if run_up < 0 else run_up,
        rounds=rounds,
        clients=clients,
        workers=workers,
        shards=shards,
        prefetch=prefetch,
        seed=seed,
        mix=mix,
        forwarders=(ROUTER, *known[against]),
    )
    rows: list[tuple[str, ...]] = []

    def finished(each: Round) -> None:
        rows.append(row(each))
        typer.echo(f"  {each.rate:.0f} msg/s in {each.seconds:.2f} s, {'; '.join(each.verdict.faults) or 'all kept'}")

    # A terminated bench still ends its router and its broker.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with _running(cluster) as (broker, folder):
            result = DrainBench(broker, folder, options, typer.echo).run(finished)
            path = write(result, results)
    except (
        LocalClusterError, BrokerNotFound, LoadError, BrokerError, ManagementError, SettingsError, ValueError, OSError,
    ) as error:  # fmt: skip
        fail(f"bench run: {error}")
    typer.echo("\n" + table(rows))
    for line in summary(result):
        typer.echo(line)
    typer.echo(f"written: {path}")
    raise typer.Exit(1 if result.faults else 0)


@contextlib.contextmanager
def _running(name: str) -> Iterator[tuple[LocalCluster, Path]]:
    """The cluster and a folder for the bench's files; the folder goes afterwards, and a cluster without a name too."""
    import tempfile

    from deploy.local import state_root, temporary_cluster

    with contextlib.ExitStack() as stack:
        if name:
            cluster = LocalCluster.open(state_root(), name)
            cluster.up()
        else:
            cluster = stack.enter_context(temporary_cluster(state_root(), "bench"))
        yield cluster, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=cluster.folder)))
