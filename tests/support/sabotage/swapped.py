"""A router that now and then swaps two messages of one client."""

import sys

from router.process.worker import main
from router.session.flow import Flow
from router.session.pair import Pair


def swap_two(self: Flow, pair: Pair, ends_at: float) -> None:
    waiting = pair.undecided
    for first, second in zip(waiting, list(waiting)[1:], strict=False):
        if first.routing_key == second.routing_key and first.exchange == second.exchange:
            first.body, second.body = second.body, first.body
            first.properties, second.properties = second.properties, first.properties
            break
    real_slice(self, pair, ends_at)


real_slice = Flow._slice
Flow._slice = swap_two  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
