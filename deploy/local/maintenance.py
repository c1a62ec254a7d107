"""A node out of service and back without an error for anybody who reconnects.

The law: it is drained only when each of its queues keeps a greater half without it. Draining closes its listeners, so
the balancer takes it out, moves its queues' leaders away and closes its clients' connections.
"""

from deploy.local.failure import LocalClusterError
from deploy.local.node import Node


def drain(node: Node) -> None:
    """Takes it out of service; back when it has no client left. Raises LocalClusterError, as when a queue would lose
    its greater half: the node serves on then."""
    node.tool("rabbitmq-upgrade", "await_online_quorum_plus_one")
    node.drained_mark.touch()
    node.tool("rabbitmq-upgrade", "drain")


def revive(node: Node) -> None:
    """Takes it into service again, and gives it back its share of the leaders. Raises LocalClusterError."""
    node.tool("rabbitmq-upgrade", "revive")
    if not node.wait_serving():
        raise LocalClusterError(f"{node.name} does not serve after its maintenance: see {node.folder / 'log'}")
    node.drained_mark.unlink(missing_ok=True)
    rebalance(node)


def revive_if_drained(node: Node) -> None:
    """Only a running node is asked: the state is lost in a restart, when the node serves anyway."""
    if node.drained_mark.exists() and node.processes():
        node.tool("rabbitmq-upgrade", "revive")
        node.drained_mark.unlink()


def rebalance(node: Node) -> None:
    """Spreads the leaders of the quorum queues over all nodes: after a restart one node leads none."""
    node.tool("rabbitmq-queues", "rebalance", "quorum")
