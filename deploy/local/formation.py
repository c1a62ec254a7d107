"""Bringing the nodes of a cluster up, whatever each of them was left in.

The law: the first node ever begins alone, and the others join what serves. Nodes with data start together, since none
serves before the greater half is there. A node that was killed on its way in begins anew; the others forget it first.
"""

import signal
import time
from collections.abc import Sequence
from typing import Final

from deploy.local import maintenance, processes
from deploy.local.failure import LocalClusterError
from deploy.local.node import Node

JOIN_SECONDS: Final = 60.0


def bring_up(nodes: Sequence[Node]) -> None:
    """Back when every node serves and sees the others. Raises LocalClusterError."""
    old = [node for node in nodes if node.whole] or [nodes[0]]
    _all_serve(old)
    old[0].mark_whole()
    new = [node for node in nodes if node not in old]
    for node in new:
        _forget(node, old[0])
    _all_serve(new)
    if len(nodes) > 1:
        _wait_joined(nodes)
    for node in new:
        node.mark_whole()


def stop(nodes: Sequence[Node]) -> None:
    """Stops them together: none waits for another, none is left alone in a minority."""
    for node in nodes:
        node.sigcont()
        node.signal(signal.SIGTERM)
    for node in nodes:
        node.stop()


def _all_serve(nodes: Sequence[Node]) -> None:
    """Starts those that are down and waits for all. One that never serves is started once more."""
    for _ in range(2):
        for node in nodes:
            node.start()
        for node in nodes:
            maintenance.revive_if_drained(node)
        late = [node for node in nodes if not node.wait_serving()]
        if not late:
            return
        for node in late:
            node.kill9()
    raise LocalClusterError(f"{late[0].name} does not start: see {late[0].folder / 'log'}")


def _forget(node: Node, member: Node) -> None:
    """Makes the cluster forget what this node was before it lost its data, or it would not be let in again."""
    if not node.processes() and node.name in {known["name"] for known in member.api("nodes?columns=name")}:
        member.tool("rabbitmqctl", "forget_cluster_node", node.name)


def _wait_joined(nodes: Sequence[Node]) -> None:
    deadline = time.monotonic() + JOIN_SECONDS
    names = {node.name for node in nodes}
    while alone := [node for node in nodes if node.running_peers() != names]:
        if time.monotonic() > deadline:
            raise LocalClusterError(f"{alone[0].name} does not see the other nodes: see {alone[0].folder / 'log'}")
        time.sleep(2 * processes.POLL_SECONDS)
