"""Who still owes what: unsettled inputs of a consuming channel, unconfirmed outputs of a publishing channel.

Law (DELIVERY.md 3): an input is acknowledged only when every output derived from it is confirmed and none returned;
acknowledgements go out cumulatively over the contiguous settled prefix. Nothing here awaits, so no cancel can strike
between a read and a write.
"""

from collections import deque

from router.core.delivery import Delivery
from router.core.errors import FrameError
from router.core.outputs import Output


class UnsettledInputs:
    """Deliveries of one consuming channel in the order of their tags."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivery: Delivery) -> None:
        """A delivery that was decided on; tags only grow within a channel."""
        self._waiting.append(delivery)

    def take_ack(self) -> int:
        """The tag up to which everything is settled, 0 if nothing new: what a cumulative `basic.ack` may say."""
        waiting, tag = self._waiting, 0
        while waiting and waiting[0].settled:
            tag = waiting.popleft().tag
        return tag


class UnconfirmedOutputs:
    """Publishes of one channel in confirm mode, numbered from 1 as the broker numbers them."""

    def __init__(self) -> None:
        self._first = 1
        self._waiting: list[Output | None] = []
        self._open = 0

    def __len__(self) -> int:
        return self._open

    def next_number(self) -> int:
        """The number that `add` will give."""
        return self._first + len(self._waiting)

    def add(self, output: Output) -> int:
        """Number an output that is being written."""
        self._waiting.append(output)
        self._open += 1
        return self._first + len(self._waiting) - 1

    def returned(self, number: int) -> None:
        """`basic.return` of a publish; its confirm follows on the same channel."""
        output = self._at(number)
        if output is None:
            raise FrameError("a return of a publish that is not open")
        output.returned = True

    def take(self, number: int, multiple: bool) -> list[Output]:
        """The outputs that a confirm (ack or nack) closes, in the order in which they were published."""
        index = number - self._first
        if not 0 <= index < len(self._waiting):
            # An ack of 0 with `multiple` means all; RabbitMQ does not send it, and a number closed twice is its fault.
            raise FrameError("a confirm of a publish that is not open")
        if multiple:
            taken = [output for output in self._waiting[: index + 1] if output is not None]
            del self._waiting[: index + 1]
            self._first = number + 1
        else:
            output = self._waiting[index]
            if output is None:
                raise FrameError("a publish confirmed twice")
            self._waiting[index] = None
            taken = [output]
        self._open -= len(taken)
        self._drop_closed_head()
        return taken

    def older_than(self, moment: float) -> list[Output]:
        """Open outputs published before `moment`, first published first; usually one look at the first."""
        late: list[Output] = []
        for output in self._waiting:
            if output is not None:
                if output.published_at >= moment:
                    break
                late.append(output)
        return late

    def shift(self, seconds: float) -> None:
        """Move the publish times of everything open, for time that does not count."""
        for output in self._waiting:
            if output is not None:
                output.published_at += seconds

    def drain(self) -> list[Output]:
        """Everything open, which this ledger then forgets: the channel is gone."""
        left = [output for output in self._waiting if output is not None]
        self._first += len(self._waiting)
        self._waiting.clear()
        self._open = 0
        return left

    def _at(self, number: int) -> Output | None:
        index = number - self._first
        return self._waiting[index] if 0 <= index < len(self._waiting) else None

    def _drop_closed_head(self) -> None:
        closed = 0
        for output in self._waiting:
            if output is not None:
                break
            closed += 1
        if closed:
            del self._waiting[:closed]
            self._first += closed
