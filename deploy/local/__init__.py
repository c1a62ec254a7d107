"""A private RabbitMQ for trying, testing and measuring: `LocalCluster`."""

from deploy.local.broker_command import BrokerNotFound
from deploy.local.cluster import LocalCluster, Status
from deploy.local.node import LocalClusterError
from deploy.local.places import checkout, state_root
from deploy.local.temporary import temporary_cluster

__all__ = [
    "BrokerNotFound",
    "LocalCluster",
    "LocalClusterError",
    "Status",
    "checkout",
    "state_root",
    "temporary_cluster",
]
