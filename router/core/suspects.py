"""Inboxes that were silent (DELIVERY.md 4): their outputs climb the ladder until one trial at a time is confirmed."""


class SuspectInboxes:
    """The suspect inboxes of one vhost in one worker; outlives connections."""

    def __init__(self) -> None:
        self._suspect: set[str] = set()
        self._on_trial: str | None = None

    def __len__(self) -> int:
        return len(self._suspect)

    def __contains__(self, queue: str) -> bool:
        return queue in self._suspect

    def silent(self, queue: str) -> None:
        """A confirm did not come for a publish to this inbox."""
        self._suspect.add(queue)

    def may_try(self, queue: str) -> bool:
        """True, and the trial is taken, when no other trial is under way."""
        if self._on_trial is not None:
            return False
        self._on_trial = queue
        return True

    def tried(self, queue: str, answered: bool) -> None:
        """The trial ended; an inbox whose broker answered (confirm, nack or return) is suspect no longer."""
        self._on_trial = None
        if answered:
            self._suspect.discard(queue)
