"""The window of `distributionID`s per client (DELIVERY.md 9): a repeat inside it is forwarded with the mark.

Bounded: 10 minutes or 10 000 ids a client, whichever is less; ids are kept as 64-bit hashes (about 200 bytes each,
all told), so a client costs at most 2 MB. A collision marks a message wrongly, which is harmless. Lost at a hand-over.
"""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 600.0
WINDOW_IDS: Final = 10_000


class DuplicateWindow:
    """Seen ids of the clients of one shard."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[dict[int, int], deque[tuple[int, float]]]] = {}

    def repeated(self, client: str, distribution_id: str, now: float) -> bool:
        """True if this client's id was seen within the window; remembers it. `now` is any clock in seconds."""
        known = self._clients.get(client)
        if known is None:
            known = self._clients[client] = ({}, deque())
        seen, order = known
        oldest = now - WINDOW_SECONDS
        while order and (order[0][1] < oldest or len(order) >= WINDOW_IDS):
            key, _ = order.popleft()
            if seen[key] == 1:
                del seen[key]
            else:
                seen[key] -= 1  # it came again since: that one is still inside
        key = hash(distribution_id)
        times = seen.get(key, 0)
        seen[key] = times + 1
        order.append((key, now))
        return times > 0

    def forget_idle(self, now: float) -> None:
        """Drop clients whose last id is older than the window; called now and then, costs one look a client."""
        oldest = now - WINDOW_SECONDS
        for client in [name for name, (_, order) in self._clients.items() if order[-1][1] < oldest]:
            del self._clients[client]
