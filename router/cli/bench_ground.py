"""What the commands of `hubex bench` share: a broker to measure on, a line that tells where it is, and the end."""

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from deploy.local import LocalCluster
from router.cli.fail import fail

if TYPE_CHECKING:
    from bench.results import Options, Result, Round

DEFAULT_RESULTS = Path("bench/results")
BAR_WIDTH: Final = 24

Rate = Annotated[float, typer.Option(min=0, max=1e6, help="Messages due a second; 0: as fast as confirms come.")]
Clients = Annotated[int, typer.Option(min=2, max=500, help="Clients, each sending to the next.")]
Workers = Annotated[int, typer.Option(min=0, max=64, help="Worker processes; 0: one a core.")]
Shards = Annotated[int, typer.Option(min=1, max=64, help="Dispatch queues.")]
Prefetch = Annotated[int, typer.Option(min=1, max=2000, help="Unsettled messages a shard, for every forwarder alike.")]
Seed = Annotated[int, typer.Option(help="Of the bodies: the same seed gives the same messages.")]
Mix = Annotated[str, typer.Option(help="rc-eda (3.3 KB, the headline), first, all, or sample=weight,...")]
Results = Annotated[Path, typer.Option(help="Where the result file goes.")]
Cluster = Annotated[str, typer.Option(help="A local cluster that is kept, by name; else one is made and removed.")]


class Console:
    """Tells on standard error what is being done: a bar that moves on a terminal, else a line for each new thing."""

    def __init__(self) -> None:
        self._bar = sys.stderr.isatty()
        self._told = ""

    def __call__(self, text: str, share: float) -> None:
        """`share` of the whole is done, 0 to 1."""
        if self._bar:
            full = round(min(share, 1.0) * BAR_WIDTH)
            typer.echo(f"\r\x1b[K[{'#' * full:<{BAR_WIDTH}}] {min(share, 1.0):4.0%} {text}", nl=False, err=True)
        elif text != self._told:
            typer.echo(text, err=True)
        self._told = text

    def finished(self, each: "Round") -> None:
        """A round has ended."""
        self.clear()
        kept = "; ".join(each.verdict.faults) or "all kept"
        typer.echo(f"  {each.forwarder}: {each.rate:.0f} msg/s in {each.seconds:.2f} s, {kept}")

    def clear(self) -> None:
        """Take the bar away."""
        if self._bar:
            typer.echo("\r\x1b[K", nl=False, err=True)


def checked_mix(command: str, mix: str) -> str:
    """The mix, if there is such a one; else the command's end."""
    from bench.bodies import parse_mix

    try:
        parse_mix(mix)
    except ValueError as error:
        fail(f"bench {command}: {error}")
    return mix


@contextlib.contextmanager
def bench(command: str, cluster: str) -> Iterator[tuple[LocalCluster, Path, Console]]:
    """The cluster, a folder for the bench's files and its console; a folder and a cluster without a name go afterwards.

    What fails in between ends the command with one line.
    """
    from bench.child import LoadError
    from deploy.local import BrokerNotFound, LocalClusterError
    from router.core.errors import BrokerError
    from router.settings.strict import SettingsError
    from router.topology.management import ManagementError

    # A terminated bench still ends its router and its broker.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    try:
        with _running(cluster) as (broker, folder):
            yield broker, folder, console
    except (
        LocalClusterError, BrokerNotFound, LoadError, BrokerError, ManagementError, SettingsError, ValueError, OSError,
    ) as error:  # fmt: skip
        console.clear()
        fail(f"bench {command}: {error}")
    console.clear()


@contextlib.contextmanager
def _running(name: str) -> Iterator[tuple[LocalCluster, Path]]:
    from deploy.local import state_root, temporary_cluster

    with contextlib.ExitStack() as stack:
        if name:
            cluster = LocalCluster.open(state_root(), name)
            cluster.up()
        else:
            cluster = stack.enter_context(temporary_cluster(state_root(), "bench"))
        yield cluster, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=cluster.folder)))


def measure(command: str, options: "Options", cluster: str, results: Path) -> None:
    """A drain or a load, as the options say, and the end of the command."""
    with bench(command, cluster) as (broker, folder, console):
        from bench.drain import DrainBench
        from bench.live import LiveBench

        kind = LiveBench if options.live else DrainBench
        result = kind(broker, folder, options, console).run(console.finished, command)
    _finish(result, results)


def _finish(result: "Result", folder: Path) -> None:
    """Show it, write it and its page into `folder`, and end the command: with 1 when a promise was broken."""
    from bench.results import write
    from bench.tables import LATENCY_HEADING, latency_rows, row, summary, table, write_plot

    typer.echo("\n" + table([row(each) for each in result.rounds]))
    if rows := latency_rows(result.rounds):
        typer.echo("\n" + table(rows, LATENCY_HEADING))
    for line in summary(result):
        typer.echo(line)
    try:
        path = write(result, folder)
        page = write_plot(result, path)
    except OSError as error:
        fail(f"bench {result.command}: {error}")
    typer.echo(f"written: {path}" + (f" and {page}" if page else ""))
    raise typer.Exit(1 if result.faults else 0)
