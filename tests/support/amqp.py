"""A blocking AMQP client that shares no code with the hub's own: frames by pamqp, one channel at a time.

It shows everything a test wants to see of the broker (confirms, returns, refusals with their codes) and hides
nothing. Not for threads: one object, one thread.
"""

import itertools
import socket
import struct
import time
from collections import deque
from typing import Any

from pamqp import base, body, commands, frame, header, heartbeat

PATIENCE_SECONDS = 20.0
FRAME_BYTES = 131_072
_HEADER = struct.Struct(">BHI")

Properties = commands.Basic.Properties
ACCESS_REFUSED, NOT_FOUND, RESOURCE_LOCKED = 403, 404, 405


class Closed(Exception):
    """The broker closed the channel or the connection; `code` is AMQP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Lost(Exception):
    """The connection broke without a word."""


class Arrived:
    """A message as the broker handed it over, still to be settled."""

    def __init__(self, method: Any, properties: Properties, payload: bytes) -> None:
        self.tag: int = method.delivery_tag
        self.redelivered: bool = method.redelivered
        self.exchange: str = method.exchange
        self.key: str = method.routing_key
        self.consumer: str = getattr(method, "consumer_tag", "")
        self.properties = properties
        self.headers: dict[str, Any] = dict(properties.headers or {})
        self.body = payload


class Amqp:
    """A connection in confirm mode, with a fresh channel after each one that the broker closed."""

    def __init__(self, host: str, port: int, vhost: str, user: str, password: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._channel = 0
        self._numbers = itertools.count(1)
        self._tags = itertools.count(1)
        self._next_publish = 1
        self._open_publishes: set[int] = set()
        self.nacked: set[int] = set()
        self.returned: list[Arrived] = []
        self._deliveries: deque[Arrived] = deque()
        try:
            self._log_in(vhost, user, password)
        except BaseException:
            self._socket.close()
            raise
        self._open_channel()

    def __enter__(self) -> "Amqp":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cuts the connection: what was not settled goes back to its queue."""
        self._socket.close()

    # ---- publishing ------------------------------------------------------------------------------

    def publish(
        self, exchange: str, key: str, payload: bytes, properties: Properties, *, mandatory: bool = False
    ) -> int:
        """Writes a publish and returns its number; `confirm` waits for what became of it."""
        raw = header.ContentHeader(0, 0, properties).marshal()[12:]
        return self.publish_raw(exchange, key, payload, raw, mandatory=mandatory)

    def publish_raw(
        self, exchange: str, key: str, payload: bytes, properties: bytes, *, mandatory: bool = False
    ) -> int:
        """As `publish`, with a property list of any bytes (flags first)."""
        number = self._next_publish
        self._next_publish += 1
        self._open_publishes.add(number)
        method = commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
        head = struct.pack(">HHQ", 60, 0, len(payload)) + properties
        frames = [frame.marshal(method, self._channel), _HEADER.pack(2, self._channel, len(head)) + head + b"\xce"]
        room = FRAME_BYTES - 8
        parts = (body.ContentBody(payload[at : at + room]) for at in range(0, len(payload), room))
        self._send(b"".join([*frames, *(frame.marshal(part, self._channel) for part in parts)]))
        return number

    def send_bytes(self, data: bytes) -> None:
        """Anything at all."""
        self._send(data)

    def confirm(self, patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Waits until every publish is answered; false when the broker did not store one since the last call."""
        deadline = time.monotonic() + patience_seconds
        while self._open_publishes:
            self._read(deadline)
        stored = not self.nacked
        self.nacked.clear()
        return stored

    @property
    def unconfirmed(self) -> frozenset[int]:
        """Numbers of the publishes that the broker has not answered so far."""
        return frozenset(self._open_publishes)

    def look(self) -> None:
        """Takes in what the broker has sent already, without waiting."""
        self._read_some(time.monotonic())

    # ---- consuming -------------------------------------------------------------------------------

    def consume(self, queue: str, prefetch: int = 1, arguments: dict[str, Any] | None = None) -> str:
        """Subscribes; `next` has what comes. Returns the consumer tag."""
        tag = f"test-{next(self._tags)}"
        self._call(commands.Basic.Qos(prefetch_count=prefetch), commands.Basic.QosOk)
        self._call(
            commands.Basic.Consume(queue=queue, consumer_tag=tag, arguments=arguments or {}), commands.Basic.ConsumeOk
        )
        return tag

    def cancel(self, consumer: str) -> None:
        self._call(commands.Basic.Cancel(consumer_tag=consumer), commands.Basic.CancelOk)

    def next(self, patience_seconds: float = PATIENCE_SECONDS) -> Arrived | None:
        """The next delivery of any subscription; None when none comes in time."""
        deadline = time.monotonic() + patience_seconds
        while not self._deliveries:
            try:
                self._read(deadline)
            except TimeoutError:
                return None
        return self._deliveries.popleft()

    def take(self, queue: str, patience_seconds: float = PATIENCE_SECONDS, *, settle: str = "ack") -> Arrived | None:
        """One message of a queue, waited for, settled by `ack`, `reject` (dead-lettered) or `requeue`; the next ones
        stay where they are, unread."""
        consumer = self.consume(queue)
        arrived = self.next(patience_seconds)
        self.cancel(consumer)
        if arrived is None and self._deliveries:
            arrived = self._deliveries.popleft()
        if arrived is not None:
            if settle == "ack":
                self.ack(arrived)
            else:
                self.reject(arrived, requeue=settle == "requeue")
            # The broker answers in order: afterwards the settlement is done.
            self.depth(queue)
        return arrived

    def take_many(self, queue: str, amount: int, patience_seconds: float = PATIENCE_SECONDS) -> list[Arrived]:
        """The next messages of a queue, acknowledged; fewer when none comes for so long. Those behind them stay, but
        not as unread as with `take`.

        The connection must live on for a while: an acknowledgement that a quorum queue's client still holds back dies
        with its channel.
        """
        taken: list[Arrived] = []
        consumer = self.consume(queue, prefetch=max(1, min(amount, 200)))
        while len(taken) < amount and (arrived := self.next(patience_seconds)) is not None:
            self.ack(arrived)
            taken.append(arrived)
        self.cancel(consumer)
        while self._deliveries:
            self.reject(self._deliveries.popleft(), requeue=True)
        return taken

    def get(self, queue: str) -> Arrived | None:
        """`basic.get`, unsettled."""
        answer = self._call(commands.Basic.Get(queue=queue), commands.Basic.GetOk, commands.Basic.GetEmpty)
        return None if isinstance(answer, commands.Basic.GetEmpty) else self._deliveries.pop()

    def ack(self, arrived: Arrived, *, multiple: bool = False) -> None:
        self._send(frame.marshal(commands.Basic.Ack(arrived.tag, multiple), self._channel))

    def reject(self, arrived: Arrived, *, requeue: bool = False) -> None:
        self._send(frame.marshal(commands.Basic.Reject(arrived.tag, requeue), self._channel))

    # ---- what a client has no business with ---------------------------------------------------------

    def depth(self, queue: str) -> int:
        """Messages of a queue that wait for a consumer (passive declare: up to the moment)."""
        answer = self._call(commands.Queue.Declare(queue=queue, passive=True), commands.Queue.DeclareOk)
        return int(answer.message_count)

    def call(self, method: base.Frame) -> Any:
        """A method that has an answer. Raises Closed when the broker refuses it."""
        return self._call(method, base.Frame)

    # ---- frames ----------------------------------------------------------------------------------

    def _log_in(self, vhost: str, user: str, password: str) -> None:
        self._socket.sendall(header.ProtocolHeader().marshal())
        self._answer(0, commands.Connection.Start)
        start = commands.Connection.StartOk(
            client_properties={"product": "hubex tests", "capabilities": {"authentication_failure_close": True}},
            mechanism="PLAIN",
            response=f"\0{user}\0{password}",
            locale="en_US",
        )
        self._send(frame.marshal(start, 0))
        self._answer(0, commands.Connection.Tune)
        self._send(frame.marshal(commands.Connection.TuneOk(2047, FRAME_BYTES, 0), 0))
        self._send(frame.marshal(commands.Connection.Open(vhost), 0))
        self._answer(0, commands.Connection.OpenOk)

    def _open_channel(self) -> None:
        self._channel = next(self._numbers)
        self._next_publish = 1
        self._open_publishes.clear()
        self._deliveries.clear()
        self._call(commands.Channel.Open(), commands.Channel.OpenOk)
        self._call(commands.Confirm.Select(), commands.Confirm.SelectOk)

    def _call(self, method: base.Frame, *answers: type[base.Frame]) -> Any:
        self._send(frame.marshal(method, self._channel))
        return self._answer(self._channel, *answers)

    def _answer(self, channel: int, *answers: type[base.Frame]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            where, found = self._read(deadline)
            if where == channel and found is not None and isinstance(found, answers):
                return found

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(PATIENCE_SECONDS)
            self._socket.sendall(data)
        except OSError as error:
            raise Lost(str(error)) from None

    def _read(self, deadline: float) -> tuple[int, base.Frame | None]:
        """The next frame, after what it does to our books. Raises TimeoutError, Lost, Closed."""
        channel, found = self._frame(deadline)
        if isinstance(found, commands.Basic.Deliver | commands.Basic.GetOk):
            self._deliveries.append(self._content(found))
        elif isinstance(found, commands.Basic.Return):
            found.delivery_tag, found.redelivered = 0, False  # type: ignore[attr-defined]
            self.returned.append(self._content(found))
            return channel, None
        elif isinstance(found, commands.Basic.Ack | commands.Basic.Nack):
            self._confirmed(found)
            return channel, None
        elif isinstance(found, commands.Channel.Close):
            self._send(frame.marshal(commands.Channel.CloseOk(), channel))
            self._open_channel()
            raise Closed(found.reply_code, found.reply_text)
        elif isinstance(found, commands.Connection.Close):
            self._socket.close()
            raise Closed(found.reply_code, found.reply_text)
        return channel, found if isinstance(found, base.Frame) else None

    def _read_some(self, deadline: float) -> None:
        while True:
            try:
                self._read(deadline)
            except TimeoutError:
                return

    def _confirmed(self, answer: Any) -> None:
        closed = {
            n for n in self._open_publishes if n == answer.delivery_tag or answer.multiple and n < answer.delivery_tag
        }
        self._open_publishes -= closed
        if isinstance(answer, commands.Basic.Nack):
            self.nacked |= closed

    def _content(self, method: Any) -> Arrived:
        deadline = time.monotonic() + PATIENCE_SECONDS
        _, head = self._frame(deadline)
        assert isinstance(head, header.ContentHeader)
        payload = b""
        while len(payload) < head.body_size:
            _, part = self._frame(deadline)
            assert isinstance(part, body.ContentBody)
            payload += part.value
        return Arrived(method, head.properties, payload)

    def _frame(self, deadline: float) -> tuple[int, frame.FrameTypes]:
        while True:
            if len(self._buffer) >= _HEADER.size:
                kind, channel, size = _HEADER.unpack_from(self._buffer)
                end = _HEADER.size + size + 1
                if len(self._buffer) >= end:
                    data = bytes(self._buffer[:end])
                    del self._buffer[:end]
                    if kind == 8:
                        return channel, heartbeat.Heartbeat()
                    return channel, frame.unmarshal(data)[2]
            self._fill(deadline)

    def _fill(self, deadline: float) -> None:
        # With no time left, what is there already is still taken.
        self._socket.settimeout(max(deadline - time.monotonic(), 0.0))
        try:
            data = self._socket.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            raise TimeoutError from None
        except OSError as error:
            raise Lost(str(error)) from None
        if not data:
            raise Lost("end of file")
        self._buffer += data
