"""The retry ladder (DELIVERY.md 5): the input climbs, one rung an attempt; after the last rung it is parked."""

from router.core.names import RUNGS, Rung


def rung_after(attempt: int) -> Rung | None:
    """The rung for an input that has climbed `attempt` rungs, None when the ladder ends."""
    return RUNGS[attempt] if 0 <= attempt < len(RUNGS) else None
