"""Replay: a parked message goes to its client's shard again, to be decided anew (DELIVERY.md 7).

Law: publish, wait for the confirm, only then settle the parked one. A crash in between leaves both: a
duplicate, and the replayed copy is marked as one. Nothing is ever in neither place.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from msgspec import Struct

from router.client.connect import router_login
from router.core.directory import Directory
from router.core.outcomes import Outcome
from router.core.outputs import Output
from router.core.shards import TopologyVersion
from router.parked.message import Parked, replay_of
from router.parked.store import Held, ParkedQueue, opened
from router.session.trial import TrialLink
from router.settings.config import Config

_WHY: dict[Outcome, str] = {
    Outcome.RETURNED: "its shard queue is not on the broker: run `hubex topology apply`",
    Outcome.NACKED: "its shard queue is full",
    Outcome.SILENT: "the broker did not confirm in time; it may have been replayed all the same",
    Outcome.LOST: "the connection to the broker was lost; it may have been replayed all the same",
    Outcome.STOPPING: "stopped",
}
_BROKER_IS_ILL = (Outcome.SILENT, Outcome.LOST)


class Replayed(Struct, frozen=True):
    """What became of one message. `queue` is its shard; `why` "" means that it was replayed."""

    parked: Parked
    queue: str
    why: str = ""


async def replay(
    config: Config,
    directory: Directory,
    topology: TopologyVersion,
    wanted: Callable[[Parked], bool],
) -> AsyncGenerator[Replayed, None]:
    """Replays what is wanted, in the order of parking, one at a time. One that cannot be replayed stays.

    Ends early when the broker does not answer. Raises BrokerRefusal, SettingsError. The caller closes the
    iterator (`aclosing`) if it leaves early.
    """
    login = router_login(config, directory.vhost, "hubex parked replay")
    publisher = TrialLink(login.url, 2 * config.delivery.max_message_bytes, config.delivery.confirm_timeout_seconds)
    try:
        async with opened(config, directory.vhost) as queue:
            async for held in queue.look():
                if not wanted(held.parked):
                    continue
                output = replay_of(held.delivery, directory, topology)
                if isinstance(output, str):
                    yield Replayed(held.parked, "", output)
                    continue
                outcome = await _attempt(publisher, queue, held, output)
                yield Replayed(held.parked, output.queue, _WHY.get(outcome, ""))
                if outcome in _BROKER_IS_ILL:
                    return
    finally:
        publisher.abort()


async def _attempt(publisher: TrialLink, queue: ParkedQueue, held: Held, output: Output) -> Outcome:
    outcome = await publisher.attempt(output)
    if outcome is Outcome.CONFIRMED:
        # Confirmed is stored: from here on a cancel would only make a duplicate, so let the settlement pass.
        await asyncio.shield(queue.settle(held))
    return outcome
