"""What lies in the hub's own queues, as the management API knows it: to tell when a hub has nothing in hand."""

from collections.abc import Callable
from typing import Any

from router.core.names import HUB_PREFIXES, PARKED, PROBE
from router.topology.management import Management, ManagementError

RESTING = (PARKED, PROBE)
"""Queues of the hub in which messages lie without anybody working on them."""


def depths(api: Management, vhost: str) -> dict[str, int | None]:
    """Ready and unsettled messages of each of the hub's queues; None: not known yet. Raises ManagementError."""
    queues: list[dict[str, Any]] = api.get("queues", vhost)
    return {queue["name"]: queue.get("messages") for queue in queues if queue["name"].startswith(HUB_PREFIXES)}


def hub_is_idle(api: Management, vhost: str) -> Callable[[], bool]:
    """A test for `LoadRun.finish`: nothing waits in a shard, a rung or a dead-letter queue, and nothing is unsettled.

    Depths are as old as the broker's statistics interval, so a caller asks twice, an interval apart.
    """

    def idle() -> bool:
        try:
            found = depths(api, vhost)
        except ManagementError:
            return False
        return all(depth == 0 for name, depth in found.items() if name not in RESTING)

    return idle
