"""A private RabbitMQ for trying, testing and measuring: `LocalCluster`."""

from deploy.local.broker_command import BrokerNotFound
from deploy.local.cluster import LocalCluster, Status
from deploy.local.failure import LocalClusterError
from deploy.local.layout import Shape
from deploy.local.places import checkout, state_root
from deploy.local.temporary import temporary_cluster

__all__ = [
    "BrokerNotFound",
    "LocalCluster",
    "LocalClusterError",
    "Shape",
    "Status",
    "checkout",
    "state_root",
    "temporary_cluster",
]
