"""The broker's own shovel as the router's measure: the same queues, on-confirm, no validation.

One dynamic shovel a shard, from the shard queue to an exchange that sends each client's key to the inbox that the
router would send it to. It checks nothing, reports nothing and marks nothing: what it costs is what moving costs.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from bench.child import LoadError, wait_quietly
from bench.hub import BenchHub
from bench.job import Line
from router.core.names import shard_queue
from router.topology.management import NotFound

EXCHANGE: Final = "hub.bench"
NAME: Final = "bench-"
RUNNING_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.1


class Shovels:
    """The shovels of a bench's vhost."""

    def __init__(self, hub: BenchHub, lines: Sequence[Line], prefetch: int) -> None:
        self._hub, self._lines, self._prefetch = hub, lines, prefetch
        self._names = [f"{NAME}{shard:02d}" for shard in range(hub.config.topology.shards)]

    def prepare(self) -> None:
        """The exchange, its bindings and the right to shovel. Raises ManagementError."""
        api, vhost = self._hub.api, self._hub.vhost
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        api.put("permissions", vhost, self._hub.config.management.user, body=everything)
        api.put("exchanges", vhost, EXCHANGE, body={"type": "direct", "durable": True})
        for key, inbox in {(line.keys[kind], line.inboxes[kind]) for line in self._lines for kind in line.keys}:
            api.post("bindings", vhost, "e", EXCHANGE, "q", inbox, body={"routing_key": key, "arguments": {}})

    def start(self, direct: bool) -> None:
        """Make the shovels; they begin at once. Raises ManagementError.

        `direct`: through Erlang messages inside the node; else through AMQP over loopback.
        """
        uri = self._uri(direct)
        for shard, name in enumerate(self._names):
            value = {
                "src-protocol": "amqp091",
                "src-uri": uri,
                "src-queue": shard_queue(shard),
                "src-prefetch-count": self._prefetch,
                "dest-protocol": "amqp091",
                "dest-uri": uri,
                "dest-exchange": EXCHANGE,
                "ack-mode": "on-confirm",
                "reconnect-delay": 1,
            }
            self._hub.api.put("parameters", "shovel", self._hub.vhost, name, body={"value": value})

    def _uri(self, direct: bool) -> str:
        management, broker = self._hub.config.management, self._hub.config.broker
        secret = f"{quote(management.user, safe='')}:{quote(management.secret(), safe='')}"
        place = "" if direct else f"{broker.host}:{broker.port}"
        return f"amqp://{secret}@{place}/{quote(self._hub.vhost, safe='')}"

    def wait_running(self) -> None:
        """Until all of them move messages. Raises ManagementError, LoadError."""
        if not wait_quietly(self._all_running, RUNNING_SECONDS, LOOK_SECONDS):
            raise LoadError(f"the shovels do not run in {RUNNING_SECONDS:.0f} s")

    def _all_running(self) -> bool:
        found = self._hub.api.get("shovels", self._hub.vhost)
        return len([shovel for shovel in found if shovel.get("state") == "running"]) == len(self._names)

    def stop(self) -> None:
        """Remove them, and wait until they are gone. Raises ManagementError, LoadError."""
        for name in self._names:
            try:
                self._hub.api.delete("parameters", "shovel", self._hub.vhost, name)
            except NotFound:
                continue
        if not wait_quietly(lambda: not self._hub.api.get("shovels", self._hub.vhost), RUNNING_SECONDS, LOOK_SECONDS):
            raise LoadError("the shovels do not end")
