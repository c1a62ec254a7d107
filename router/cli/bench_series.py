"""`hubex bench compare`: the router beside all others that could do a part of its work."""

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
    finish,
)
from router.cli.fail import fail

Messages = Annotated[int, typer.Option(min=100, max=2_000_000, help="Messages measured in each round.")]
Seconds = Annotated[float, typer.Option(min=1, max=86_400, help="With --rate: measured time of each load.")]
Rounds = Annotated[int, typer.Option(min=1, max=50, help="Rounds, each with every forwarder.")]
Forwarders = Annotated[str, typer.Option(help="Some of them only, with commas between; all if not given.")]


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
    with bench("compare", cluster) as (broker, folder, console):
        from bench.drain import DrainBench
        from bench.live import LiveBench

        kind = LiveBench if rate else DrainBench
        result = kind(broker, folder, options, console).run(console.finished, "compare")
    finish(result, results)
