"""What a node of the local cluster is told: its configuration, plugins, users and environment. Pure text.

What every node of the hub has is in deploy/rabbitmq, and read from there; here is what is local. Everything is
understood by RabbitMQ 3.10 to 4.x; no key that a later version deprecates.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.ports import Ports

MIB: Final = 1024 * 1024
DEPLOYED: Final = Path(__file__).parents[1] / "rabbitmq"
COMMON: Final = ("rabbitmq.conf", "advanced.config")

PLUGINS: Final = ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_shovel", "rabbitmq_shovel_management")
PASSED_ON: Final = ("PATH", "TMPDIR", "TZ")
"""Nothing else of our environment reaches the broker: RABBITMQ_* and ERL_* of the system's own would."""


def local_conf(address: str, ports: Ports, definitions: Path, cluster: Sequence[str]) -> str:
    """The file of one node that comes after the common ones. `cluster`: the names of its nodes, this one's too."""
    lines = {
        "listeners.tcp.1": f"{address}:{ports.amqp}",
        "management.tcp.ip": address,
        "management.tcp.port": ports.management,
        "prometheus.tcp.ip": address,
        "prometheus.tcp.port": ports.prometheus,
        # Users come from here at every start; a node that reads definitions makes no guest.
        "load_definitions": definitions,
        "auth_mechanisms.1": "PLAIN",
        "disk_free_limit.absolute": 256 * MIB,
        "vm_memory_high_watermark.absolute": _memory_bytes(len(cluster)),
        # A killed node reads its write-ahead log before it serves; small enough for seconds.
        "raft.wal_max_size_bytes": 128 * MIB,
        # Local only: depths in the management API are at most a second old.
        "collect_statistics_interval": 1000,
        "log.file": "node.log",
        "log.file.level": "info",
        "log.file.rotation.size": 32 * MIB,
        "log.file.rotation.count": 3,
    }
    if len(cluster) > 1:
        lines["cluster_formation.peer_discovery_backend"] = "classic_config"
        # The first node finds nobody ten times before it begins alone.
        lines["cluster_formation.discovery_retry_interval"] = 100
        lines |= {f"cluster_formation.classic_config.nodes.{at}": name for at, name in enumerate(cluster, 1)}
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def common_files() -> dict[str, str]:
    """Name -> text of what the nodes of the hub have everywhere."""
    return {name: (DEPLOYED / name).read_text(encoding="utf-8") for name in COMMON}


def _memory_bytes(nodes: int) -> int:
    """Above which a node stops publishers: 40 % of the machine, at most 3 GiB, shared by the nodes on it."""
    return min(3 * 1024 * MIB, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 2 // 5 // nodes)


def enabled_plugins() -> str:
    return f"[{','.join(PLUGINS)}].\n"


def definitions(users: dict[str, tuple[str, str]]) -> str:
    """The users: name -> (hash, tags). Vhosts, rights and queues are the topology's."""
    algorithm = "rabbit_password_hashing_sha256"
    listed = [
        {"name": name, "password_hash": hashed, "hashing_algorithm": algorithm, "tags": tags}
        for name, (hashed, tags) in users.items()
    ]
    return json.dumps({"users": listed}, indent=1) + "\n"


def erlang_environment(home: Path, addresses: Sequence[str], ports: Ports) -> dict[str, str]:
    """What every Erlang process of the cluster gets: epmd, nodes and tools."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return environment | {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(ports.epmd),
        # epmd adds 127.0.0.1 by itself.
        "ERL_EPMD_ADDRESS": ",".join(addresses),
        "ERL_CRASH_DUMP_SECONDS": "0",
    }


def node_environment(name: str, address: str, ports: Ports, folder: Path) -> dict[str, str]:
    """What a node and its tools get besides. `folder` is the node's; nothing is read from /etc."""
    return {
        # Also for the small Erlang processes that the node starts on its way: none listens elsewhere.
        "ERL_AFLAGS": f"-kernel inet_dist_use_interface {{{address.replace('.', ',')}}}",
        "RABBITMQ_NODENAME": name,
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_CTL_DIST_PORT_MIN": str(ports.tools[0]),
        "RABBITMQ_CTL_DIST_PORT_MAX": str(ports.tools[1]),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_MNESIA_DIR": str(folder / "data" / "node"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "data" / "feature_flags"),
        "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "data" / "plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "data" / "config"),
        "RABBITMQ_PID_FILE": str(folder / "data" / "pid"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        # The script replaces itself by the Erlang machine, so that the pid stays and no shell stands between.
        "detached": "true",
    }
