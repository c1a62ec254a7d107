"""Does it fit on the disk? (DELIVERY.md 7.) Pure.

The rule, `B` being half of what the broker's fullest node has free above its `disk_free_limit` (every node
holds a copy of every quorum queue), or `topology.disk_budget_bytes`:

- The hub's own queues (shards, rungs, parked, dead, unknown, probe) of all vhosts, each at its byte limit,
fit
  together in `B`. They are what must go on when everything else is stuck, so their limits are counted as
  reserved; bytes that lie in them already count as free.
- One inbox at its limit fits in `B` too, in the other half. An inbox's limit bounds one recipient and is no
  reservation: hundreds of inboxes are never full at once, and if they were, the broker's disk alarm stops
  publishers before anything is lost.
"""

from collections.abc import Iterable
from typing import Final

from router.core import names
from router.settings.config import Config
from router.settings.strict import Fault
from router.topology.desired import PROBE_MAX_BYTES
from router.topology.objects import Actual

_MIB: Final = 1024 * 1024


def own_max_bytes(config: Config) -> int:
    """What the hub's own queues may hold together, over all vhosts."""
    limits = config.topology
    one_vhost = (
        limits.shards * limits.shard_max_bytes
        + len(names.RUNGS) * limits.rung_max_bytes
        + len(names.DEAD_QUEUES) * limits.dead_max_bytes
        + limits.parked_max_bytes
        + limits.unknown_max_bytes
        + PROBE_MAX_BYTES
    )
    return one_vhost * len(config.vhosts)


def budget_faults(config: Config, actual: Actual) -> Iterable[Fault]:
    """Why the limits do not fit, nothing when they do."""
    budget = config.topology.disk_budget_bytes
    if not budget:
        if actual.disk_free_bytes is None:
            yield Fault("topology", "no broker node tells its free disk", "set topology.disk_budget_bytes")
            return
        budget = (actual.disk_free_bytes + _own_bytes_now(actual)) // 2
    wanted = own_max_bytes(config)
    if wanted > budget:
        yield Fault(
            "topology",
            f"the hub's own queues may hold {_mib(wanted)} in {len(config.vhosts)} vhosts, "
            f"the disk budget is {_mib(budget)}",
            "fewer shards, smaller topology.*_max_bytes or more disk",
        )
    if config.topology.inbox_max_bytes > budget:
        yield Fault(
            "topology.inbox_max_bytes",
            f"one full inbox of {_mib(config.topology.inbox_max_bytes)} does not fit in {_mib(budget)}",
            f"at most {budget}",
        )


def _own_bytes_now(actual: Actual) -> int:
    return sum(
        queue.message_bytes or 0
        for vhost in actual.vhosts.values()
        for queue in vhost.queues
        if queue.name.startswith(names.HUB_PREFIXES)
    )


def _mib(count: int) -> str:
    return f"{count / _MIB:,.0f} MiB"
