"""`hubex bench compare`, `sweep` and `soak`: the router beside others, beside itself, and for hours."""

from importlib.util import find_spec
from typing import Annotated

import typer

from router.cli.bench_ground import (
    DEFAULT_RESULTS,
    Clients,
    Cluster,
    Mix,
    Prefetch,
    Rate,
    Results,
    Seed,
    Shards,
    Workers,
    bench,
    checked_mix,
    measure,
)
from router.cli.fail import fail

Messages = Annotated[int, typer.Option(min=100, max=2_000_000, help="Messages measured in each round.")]
Seconds = Annotated[float, typer.Option(min=1, max=86_400, help="With --rate: measured time of each load.")]
Rounds = Annotated[int, typer.Option(min=1, max=50, help="Rounds, each with every forwarder.")]
Forwarders = Annotated[str, typer.Option(help="Some of them only, with commas between; all if not given.")]
Hours = Annotated[float, typer.Option(min=0.005, max=240, help="How long.")]
SoakRate = Annotated[float, typer.Option(min=1, max=1e6, help="Messages due a second.")]
Many = Annotated[str, typer.Option(help="Values, with commas between.")]


def compare(
    messages: Messages = 20_000,
    rate: Rate = 0.0,
    seconds: Seconds = 20.0,
    rounds: Rounds = 5,
    forwarders: Forwarders = "",
    clients: Clients = 50,
    workers: Workers = 0,
    shards: Shards = 8,
    prefetch: Prefetch = 256,
    seed: Seed = 1,
    mix: Mix = "rc-eda",
    results: Results = DEFAULT_RESULTS,
    cluster: Cluster = "",
) -> None:
    """The router, the broker's shovel, a null forwarder on the hub's own lane, aiormq, aio-pika and FastStream with
    fastjsonschema by turns: the same messages on the same broker, drained, or with --rate as a load.

    Losses stand beside rates. Exit code 1 when the router or the shovel broke a promise. The rivals are
    development dependencies.
    """
    from bench.results import AIO_PIKA, FASTSTREAM, FORWARDERS, Options

    chosen = tuple(forwarders.split(",")) if forwarders else FORWARDERS
    if unknown := sorted(set(chosen) - set(FORWARDERS)):
        fail(f"bench compare: there is no {', '.join(unknown)}; there are {', '.join(FORWARDERS)}")
    for name, module in ((AIO_PIKA, "aio_pika"), (FASTSTREAM, "faststream")):
        if name in chosen and find_spec(module) is None:
            fail(f"bench compare: {name} is not installed: it is in requirements-dev.lock, not in the hub's own")
    options = Options(
        messages=0 if rate else messages,
        run_up=0 if rate else messages // 10,
        rounds=rounds,
        clients=clients,
        workers=workers,
        shards=shards,
        prefetch=prefetch,
        seed=seed,
        mix=checked_mix("compare", mix),
        forwarders=chosen,
        live=bool(rate),
        seconds=seconds if rate else 0.0,
        rate=rate,
    )
    measure("compare", options, cluster, results)


def sweep(
    workers: Many = "1,2",
    prefetch: Many = "32,64,128,256,512",
    shards: Many = "8",
    messages: Messages = 20_000,
    rounds: Rounds = 3,
    clients: Clients = 50,
    seed: Seed = 1,
    mix: Mix = "rc-eda",
    results: Results = DEFAULT_RESULTS,
    cluster: Cluster = "",
) -> None:
    """Drain the same backlog by the router at every combination of workers, prefetch and shards; print the curve
    as a table for bench/README.md.

    Exit code 1 when a message was lost, came twice without a mark, or out of order at any point.
    """
    from bench.results import ROUTER, Options, write

    options = Options(
        messages=messages,
        run_up=messages // 10,
        rounds=rounds,
        clients=clients,
        workers=0,
        shards=0,
        prefetch=0,
        seed=seed,
        mix=checked_mix("sweep", mix),
        forwarders=(ROUTER,),
    )
    axes = _values("workers", workers, 64), _values("prefetch", prefetch, 2000), _values("shards", shards, 64)
    with bench("sweep", cluster) as (broker, folder, console):
        from bench.sweep import combinations, markdown
        from bench.sweep import sweep as sweep_points

        found = sweep_points(broker, folder, combinations(options, *axes), console, console.finished)
        path = write(found, results)
    for line in markdown(found):
        typer.echo(line)
    machine = found.results[0].machine
    typer.echo(f"machine: {machine.cpu_model}, {machine.cores} cores, load before {found.results[0].load_before:.2f}")
    typer.echo(f"written: {path}")
    raise typer.Exit(1 if found.faults else 0)


def _values(name: str, text: str, most: int) -> list[int]:
    """The numbers of one axis; else the command's end."""
    values = [int(part) for part in text.split(",") if part.isascii() and part.isdigit() and 1 <= int(part) <= most]
    if len(values) != len(text.split(",")):
        fail(f"bench sweep: --{name} is a list of numbers from 1 to {most}, with commas between, not {text!r}")
    return values


def soak(
    rate: SoakRate = 300.0,
    hours: Hours = 1.0,
    clients: Clients = 50,
    workers: Workers = 0,
    shards: Shards = 8,
    prefetch: Prefetch = 256,
    seed: Seed = 1,
    mix: Mix = "rc-eda",
    results: Results = DEFAULT_RESULTS,
    cluster: Cluster = "",
) -> None:
    """Hours of load at a rate on one router: its memory and descriptors over time, in segments of five minutes.

    Exit code 1 when a process of the router grows (by a line through the samples, more than 5 % and 2 MiB, or
    2 descriptors, over the whole time) or is restarted, and when a promise was broken.
    """
    from bench.results import ROUTER, Options, write
    from bench.tables import LATENCY_HEADING, latency_rows, row, summary, table

    options = Options(
        messages=0,
        run_up=0,
        rounds=1,
        clients=clients,
        workers=workers,
        shards=shards,
        prefetch=prefetch,
        seed=seed,
        mix=checked_mix("soak", mix),
        forwarders=(ROUTER,),
        live=True,
        rate=rate,
    )
    with bench("soak", cluster) as (broker, folder, console):
        from bench.soak import soak as soak_router

        found = soak_router(broker, folder, options, hours * 3600, console, console.finished)
        path = write(found, results)
    typer.echo("\n" + table([row(each) for each in found.result.rounds]))
    typer.echo("\n" + table(latency_rows(found.result.rounds), LATENCY_HEADING))
    for line in (*summary(found.result), *(found.growing or ("no process of the router grows",)), f"written: {path}"):
        typer.echo(line)
    raise typer.Exit(1 if found.growing or found.result.faults else 0)
