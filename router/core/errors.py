"""Errors by blame. The message's faults are decisions (`refusals`), never exceptions that cross the core's border.

`BrokerError`: the broker, the network or its configuration; the session reconnects with back-off.
`HubError`: ours; the input is parked with reason `internal_error` and the class name is logged, never a value.
"""


class BrokerError(Exception):
    """The broker's or the network's fault. `what` is a short fixed text without payload."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class FrameError(BrokerError):
    """Bytes that are no AMQP 0-9-1 frame, or a frame that contradicts the channel's state."""


class HubError(Exception):
    """Our own fault: an invariant of the hub does not hold."""


class MalformedProperties(Exception):
    """The message's AMQP properties cannot be read; the message is refused 300."""
