"""Removing clients (DELIVERY.md 7, "Deleting a queue"): nothing can be on its way to a queue when it is
deleted, and nothing lies in it. What is not empty is kept, and everything that was taken from its client is
given back.

All clients of an apply go through each step together, so that the waits are waited once.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct, structs

from router.core import names
from router.core.directory import Client, Directory
from router.settings.config import Config
from router.settings.packs import load_packs
from router.topology import perform
from router.topology.actual import read_depth
from router.topology.desired import NOTHING
from router.topology.management import Management, ManagementError
from router.topology.operations import RemoveClient
from router.topology.parking import ParkingFailed, park_inbox

PARKING_ROUNDS = 3
"""How often `--force` empties an inbox that a dying consumer gives messages back to."""


class Waits(Struct, frozen=True):
    """Seconds. `settle`: no publish of the router can be in flight after it (one confirm timeout).
    `statistics`: how old a depth of the management API can be (two of its intervals)."""

    settle_seconds: float
    statistics_seconds: float = 10.0


class Kept(Struct, frozen=True):
    """A client that was not removed, and why."""

    removal: RemoveClient
    reason: str

    def __str__(self) -> str:
        return f"[{self.removal.vhost}] client {self.removal.client_id} is kept: {self.reason}"


class Remover:
    """Removes clients through `api`; `say` is told what happens, one line each. Blocks; the waits are most
    of it."""

    def __init__(
        self,
        api: Management,
        config: Config,
        clients: Sequence[Client],
        waits: Waits,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api, self._config, self._waits = api, config, waits
        self._say, self._sleep = say, sleep
        self._directories = {vhost.name: Directory(clients, vhost.name) for vhost in config.vhosts}
        self._packs = load_packs(config)

    def remove(self, removals: Sequence[RemoveClient], *, force: bool = False) -> tuple[Kept, ...]:
        """Removes what can be removed and returns the rest, restored. `force` parks what the inboxes hold
        first.

        Raises ManagementError when the API fails on the way; what was taken is then given back as far as it
        goes, and a second run finds what is left.
        """
        unfinished = list(removals)
        try:
            self._cut_off(removals, force)
            reasons = self._why_kept([removal for removal in removals if removal.queues], force)
            for removal in removals:
                if reasons.get(removal):
                    self._restore(removal)
                    unfinished.remove(removal)
                else:
                    # Its queues are empty: from here on a failure is finished by the next run, not undone.
                    unfinished.remove(removal)
                    self._delete(removal)
        except BaseException:
            for removal in unfinished:
                try:
                    self._restore(removal)
                except ManagementError as error:
                    self._say(f"! not restored: {removal} ({error})")
            raise
        return tuple(Kept(removal, reason) for removal, reason in reasons.items() if reason)

    def _cut_off(self, removals: Sequence[RemoveClient], force: bool) -> None:
        """From here on nothing new comes into these queues. Rights go first, so that no key is left without
        a shard while its client may still use it."""
        for removal in removals:
            self._take_rights(removal, force)
        self._close_connections(removals)
        for removal in removals:
            for binding in sorted(removal.bindings, key=lambda binding: binding.source != names.ENTRANCE):
                perform.unbind(self._api, removal.vhost, binding)
        if any(removal.queues for removal in removals):
            self._say(f"  waiting {self._waits.settle_seconds:g} s until nothing can be in flight")
            self._sleep(max(self._waits.settle_seconds, self._waits.statistics_seconds))
            # Whoever connected while the rights were being taken may hold a channel that remembers them.
            self._close_connections(removals)

    def _take_rights(self, removal: RemoveClient, force: bool) -> None:
        """It may go on reading what it has, so that it can empty its inboxes itself; unless they are to be
        parked."""
        if removal.rights_after is None and removal.rights is not None:
            read = NOTHING if force else removal.rights.read
            rights = structs.replace(removal.rights, configure=NOTHING, write=NOTHING, read=read)
            perform.set_rights(self._api, removal.vhost, rights)
        elif removal.rights_after is not None and force:
            perform.set_rights(self._api, removal.vhost, removal.rights_after)

    def _close_connections(self, removals: Sequence[RemoveClient]) -> None:
        for vhost in sorted({removal.vhost for removal in removals}):
            users = frozenset(removal.client_id for removal in removals if removal.vhost == vhost)
            perform.close_connections(self._api, vhost, users)

    def _why_kept(self, removals: Sequence[RemoveClient], force: bool) -> dict[RemoveClient, str]:
        """For each client why it must be kept, "" when every queue of it is empty for good."""
        reasons = self._holding(removals)
        for _ in range(PARKING_ROUNDS if force else 0):
            full = [removal for removal in removals if reasons[removal]]
            if not full:
                break
            failures = {removal: self._park(removal) for removal in full}
            self._sleep(self._waits.statistics_seconds)
            reasons |= self._holding(full)
            reasons |= {removal: failure for removal, failure in failures.items() if failure}
        return reasons

    def _park(self, removal: RemoveClient) -> str:
        """Parks what its queues hold; returns why that failed, "" when it did not."""
        directory, pack = self._directories[removal.vhost], self._packs[removal.vhost]
        try:
            for queue in removal.queues:
                if count := park_inbox(self._config, removal.vhost, queue, directory, pack):
                    self._say(f"  [{removal.vhost}] {count} messages of {queue} parked")
        except ParkingFailed as error:
            return str(error)
        return ""

    def _holding(self, removals: Sequence[RemoveClient]) -> dict[RemoveClient, str]:
        """What each client's queues hold, read twice over two statistics intervals; "" when nothing, both
        times."""
        reasons = {removal: self._depths(removal) for removal in removals}
        empty = [removal for removal, reason in reasons.items() if not reason]
        if empty:
            self._sleep(self._waits.statistics_seconds)
            reasons |= {removal: self._depths(removal) for removal in empty}
        return reasons

    def _depths(self, removal: RemoveClient) -> str:
        depths = {queue: read_depth(self._api, removal.vhost, queue) for queue in removal.queues}
        return ", ".join(
            f"{queue} has not been counted yet" if depth is None else f"{queue} holds {depth} messages"
            for queue, depth in depths.items()
            if depth != 0
        )

    def _delete(self, removal: RemoveClient) -> None:
        for queue in removal.queues:
            perform.gone(partial(self._api.delete, "queues", removal.vhost, queue))
        if removal.rights_after is None:
            perform.clear_rights(self._api, removal.vhost, removal.client_id)
        else:
            perform.set_rights(self._api, removal.vhost, removal.rights_after)

    def _restore(self, removal: RemoveClient) -> None:
        """Inboxes first: nobody should be able to send before it can be sent to. Key rights were never taken."""
        for binding in sorted(removal.bindings, key=lambda binding: binding.source == names.ENTRANCE):
            perform.bind(self._api, removal.vhost, binding)
        if removal.rights is not None:
            perform.set_rights(self._api, removal.vhost, removal.rights)
