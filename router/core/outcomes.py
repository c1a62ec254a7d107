"""What follows from each outcome of a publish (DELIVERY.md 3, 4). One table, no empty cell; a test walks each row.

Law: an input is settled only by steps that say DONE; every other step replaces the output or leaves the input to the
broker. (Kind and Outcome are integers because they are keys on the hot path: an Enum's hash is Python code.)
"""

from enum import Enum, IntEnum, auto
from typing import Final


class Kind(IntEnum):
    """What an output is."""

    FORWARD = auto()
    """The message to its recipient's inbox."""
    TRIAL = auto()
    """A forward to a suspect inbox, alone on a connection of its own (DELIVERY.md 4)."""
    REPORT = auto()
    """An RS-ERROR to the sender's info inbox."""
    PARKED_REPORT = auto()
    """The RS-ERROR that goes with a parked copy, one unit with it."""
    RETRY = auto()
    """The input to a rung of the ladder."""
    PARK = auto()
    """The input to the parking queue."""


class Outcome(IntEnum):
    """What became of one publish."""

    CONFIRMED = auto()
    RETURNED = auto()
    NACKED = auto()
    SILENT = auto()
    LOST = auto()
    STOPPING = auto()


class Step(Enum):
    """What the session does next."""

    DONE = auto()
    """This output needs nothing more."""
    DONE_UNREPORTED = auto()
    """As DONE, logged and counted: a report has nobody to go to."""
    REFUSE = auto()
    """The recipient has no inbox: replace the output by a 501 report."""
    CLIMB = auto()
    """Replace the output by the input on the next rung, or parked after the last."""
    PARK = auto()
    """Replace the output by the input parked."""
    SUSPECT = auto()
    """Close hard and reconnect; the broker redelivers; the silent inbox is suspect from now on."""
    TROUBLE = auto()
    """The broker's trouble: leave the input unsettled, unsubscribe, back off."""
    LEAVE = auto()
    """Leave the input unsettled: the broker redelivers it."""


_AFTER: Final[dict[Kind, tuple[Step, Step, Step, Step, Step, Step]]] = {
    #                    CONFIRMED  RETURNED              NACKED                SILENT        LOST        STOPPING
    Kind.FORWARD:       (Step.DONE, Step.REFUSE,          Step.CLIMB,           Step.SUSPECT, Step.LEAVE, Step.LEAVE),
    Kind.TRIAL:         (Step.DONE, Step.REFUSE,          Step.CLIMB,           Step.CLIMB,   Step.CLIMB, Step.LEAVE),
    Kind.REPORT:        (Step.DONE, Step.DONE_UNREPORTED, Step.CLIMB,           Step.SUSPECT, Step.LEAVE, Step.LEAVE),
    Kind.PARKED_REPORT: (Step.DONE, Step.DONE_UNREPORTED, Step.DONE_UNREPORTED, Step.SUSPECT, Step.LEAVE, Step.LEAVE),
    Kind.RETRY:         (Step.DONE, Step.TROUBLE,         Step.PARK,            Step.TROUBLE, Step.LEAVE, Step.LEAVE),
    Kind.PARK:          (Step.DONE, Step.TROUBLE,         Step.TROUBLE,         Step.TROUBLE, Step.LEAVE, Step.LEAVE),
}  # fmt: skip

TABLE: Final = {
    (kind, outcome): step
    for kind, row in _AFTER.items()
    for outcome, step in zip(Outcome, row, strict=True)
}  # fmt: skip
