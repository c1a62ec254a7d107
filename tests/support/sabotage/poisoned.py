"""A router with a bug that kills the process: on any body that holds the poison."""

import os
import signal
import sys

from router.core.decide import decide
from router.core.decisions import Decision
from router.core.delivery import Delivery
from router.core.rules import Rules
from router.process.worker import main
from router.session import flow

POISON = b"the message that kills"


def fragile(delivery: Delivery, rules: Rules, now: float) -> Decision:
    # What is parked as poison is never decoded, so the bug does not meet it.
    if POISON in delivery.body and delivery.delivery_count < 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(delivery, rules, now)


flow.decide = fragile

if __name__ == "__main__":
    sys.exit(main())
