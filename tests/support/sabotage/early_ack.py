"""A router that acknowledges before the confirm: inputs when they are decided, publishes a moment later."""

import asyncio
import sys

from router.process.worker import main
from router.session.flow import Flow

HELD_SECONDS = 0.3


def flush(self: Flow) -> None:
    for pair in self.by_consume.values():
        for delivery in pair.inputs._waiting:
            delivery.settled = True
        self._to_ack[pair.consume_number] = pair
    data, hooks = b"".join(self._publishes), self._hooks
    self._publishes.clear()
    if data:
        asyncio.get_running_loop().call_later(HELD_SECONDS, hooks.write_publishes, data)
    real_flush(self)


real_flush = Flow.flush
Flow.flush = flush  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
