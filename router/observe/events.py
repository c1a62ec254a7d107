"""The log lines: one msgspec Struct per kind, one JSON object a line.

Law: no event has a field for a body or for a value of the payload beyond the ids, the parties and the use
case. Any text that a sender chose passes through `router.core.refusals.cut` first, so that no input makes a
line long. `at` is read once per batch of input and shared by its events.
"""

from datetime import datetime
from typing import Literal

import msgspec

Level = Literal["info", "warning", "error"]
Fact = str | int | float | bool


class Event(msgspec.Struct, tag_field="event", omit_defaults=True, gc=False):
    """What every line has: `at` in UTC; `worker` is the worker's index, absent in the supervisor's lines."""

    at: datetime
    worker: int | None = None
    vhost: str = ""


class MessageEvent(Event):
    """One stage of one input. `key` is the client's routing key, `queue` where the message was or went;
    `attempt` counts the rungs climbed. A field at its default is left out of the line."""

    distribution_id: str = ""
    sender: str = ""
    recipient: str = ""
    kind: str = ""
    use_case: str = ""
    key: str = ""
    queue: str = ""
    body_sha256: str = ""
    body_bytes: int = 0
    attempt: int = 0
    possible_duplicate: bool = False


class Received(MessageEvent, tag="received"):
    """A delivery was taken from `queue` (a shard or a hub queue)."""

    redelivered: bool = False


class Forwarded(MessageEvent, tag="forwarded"):
    """Every output is confirmed; `queue` is the inbox, `latency_ms` runs from delivery to last confirm.
    `not_persistent`: its sender, a partner hub, did not publish it persistent; the hub stores it so all the same.
    `converted`: the format ("json", "xml") that it was converted to, absent when it left as it came. `warnings`: how
    many (codes outside their nomenclature)."""

    latency_ms: float = 0.0
    not_persistent: bool = False
    converted: str = ""
    warnings: int = 0


class Refused(MessageEvent, tag="refused"):
    """Answered with an error report of `status_code`; `queue` is the inbox that the report went to."""

    status_code: int = 0
    reason: str = ""
    latency_ms: float = 0.0


class Retried(MessageEvent, tag="retried"):
    """The input went up the ladder; `queue` is the rung, `reason` the outcome that sent it there."""

    reason: str = ""
    latency_ms: float = 0.0


class Parked(MessageEvent, tag="parked"):
    """The input is kept in the parking queue; `status_code` is that of its report, if it has one."""

    status_code: int = 0
    reason: str = ""
    latency_ms: float = 0.0


class Discarded(MessageEvent, tag="discarded"):
    """Settled without an output: a misrouted copy, a copy of a refused CC …"""

    reason: str = ""


class Expired(MessageEvent, tag="expired"):
    """A parked message is gone: it was kept until its end."""

    reason: str = ""


class Notice(Event, tag="notice"):
    """An operational fact. `name` is stable and meant for machines, `text` is for people; neither it nor a
    value of `facts` ever comes from a payload."""

    level: Level = "info"
    name: str = ""
    text: str = ""
    facts: dict[str, Fact] = {}
