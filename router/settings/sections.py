"""The sections of the configuration: every key, its range, its default and the reason for it.

Every key has a default, so no file is needed. Secrets are never in a repr. (`config` reads the file.)
"""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import fields

from router.core.shards import SHARDS_MAX
from router.settings.strict import Fault, SettingsError, is_secret

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
DAY_SECONDS: Final = 86_400
PACK_NAME: Final = r"^[a-z0-9][a-z0-9._-]*$"

_IS_SECRET: Final = {"secret": True}
_IS_FILE: Final = {"file": True}


class ConfigError(SettingsError):
    """The configuration cannot be used. `path` and `allowed` are those of the first fault."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.path = faults[0].path
        self.allowed = faults[0].allowed


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. Its repr hides secrets."""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{field.name}={'***' if is_secret(field) and value else repr(value)}"
            for field, value in ((field, getattr(self, field.name)) for field in fields(self))
        )
        return f"{type(self).__name__}({shown})"

    __str__ = __repr__


def read_secret(path: str, value: str, file: str) -> str:
    """The secret itself: `value`, or what `file` holds without its line end. "" when neither is set.

    Raises ConfigError naming `path` when the file cannot be read or is empty.
    """
    if not file:
        return value
    allowed = "a readable UTF-8 file that holds the secret"
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(Fault(path, f"cannot be read ({error.strerror})", allowed)) from None
    except UnicodeDecodeError:
        raise ConfigError(Fault(path, "is not UTF-8", allowed)) from None
    if not secret:
        raise ConfigError(Fault(path, "is empty", allowed))
    return secret


class BrokerConfig(_Section, frozen=True):
    # Loopback: a hub without configuration must not look for a broker anywhere else.
    host: Annotated[str, Meta(min_length=1, description="Host of the broker or its load balancer.")] = "127.0.0.1"
    # AMQP's registered port.
    port: Annotated[int, Meta(ge=1, le=65_535, description="AMQP port.")] = 5672
    # A user of its own, with the router's least rights; `topology apply` sets them.
    user: Annotated[str, Meta(min_length=1, description="The router's user on the broker.")] = "hubex-router"
    # No default secret exists: the file or the environment gives it.
    password: Annotated[str, Meta(description="Its password; or give `password_file`.", extra=_IS_SECRET)] = ""
    password_file: Annotated[str, Meta(description="A file that holds the password.", extra=_IS_FILE)] = ""
    # Two missed ones are a dead peer, whose shards wait that long; below 5 s a busy broker looks dead.
    heartbeat_seconds: Annotated[int, Meta(ge=5, le=600, description="AMQP heartbeat.")] = 10

    def secret(self) -> str:
        """The password, from wherever it is. Raises ConfigError."""
        return read_secret("broker.password_file", self.password, self.password_file)


class ManagementConfig(_Section, frozen=True):
    # The management plugin's registered port, on loopback as the broker.
    url: Annotated[
        str,
        Meta(pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?$", description="Management API, without credentials."),
    ] = "http://127.0.0.1:15672"
    # An administrator: it creates vhosts, users and rights. `hubex topology` uses it, workers never do.
    user: Annotated[str, Meta(min_length=1, description="Administrator user.")] = "hubex-admin"
    password: Annotated[str, Meta(description="Its password; or give `password_file`.", extra=_IS_SECRET)] = ""
    password_file: Annotated[str, Meta(description="A file that holds the password.", extra=_IS_FILE)] = ""

    def secret(self) -> str:
        """The password, from wherever it is. Raises ConfigError."""
        return read_secret("management.password_file", self.password, self.password_file)


class VhostConfig(_Section, frozen=True):
    # No default: a vhost is a perimeter and a model version, to be named on purpose.
    name: Annotated[str, Meta(min_length=1, max_length=255, description="The vhost on the broker.")]
    pack: Annotated[
        str, Meta(pattern=PACK_NAME, description="Its model pack: one of the hub's own, or of `packs.folder`.")
    ]


class PacksConfig(_Section, frozen=True):
    # Beside the configuration file: a new release of the models needs no new release of the hub.
    folder: Annotated[Path, Meta(description="Where `schemas import` puts model packs, a folder each.")] = Path("packs")


class DirectoryConfig(_Section, frozen=True):
    # Beside the configuration file, as the paths of all its neighbours.
    file: Annotated[Path, Meta(description="The clients directory.")] = Path("clients.toml")
    # Deployed ids with other characters are allowed one by one, never by a wider rule.
    extra_ids: Annotated[tuple[str, ...], Meta(description="Ids allowed though their characters are not.")] = ()
    # Clients log in by certificate; one password for all is for a local broker only.
    clients_password_file: Annotated[
        str,
        Meta(description="Local broker only: a file with the one password of all clients.", extra=_IS_FILE),
    ] = ""

    def clients_password(self) -> str:
        """The password that new client users get, "" for none (they log in by certificate). Raises
        ConfigError."""
        return read_secret("directory.clients_password_file", "", self.clients_password_file)


class TopologyConfig(_Section, frozen=True):
    # Beside the configuration file.
    file: Annotated[Path, Meta(description="Written by `topology apply`, read by the router.")] = Path("topology.json")
    # One queue is about one core of the broker; eight keep a small cluster busy and let workers share.
    shards: Annotated[int, Meta(ge=1, le=SHARDS_MAX, description="Dispatch queues in each vhost.")] = 8
    # Some 300 000 messages of 3.3 KB: a recipient away for a day. A bound, not a reservation.
    inbox_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of each inbox.")] = GIB
    # All shards together count against the disk budget: 8 of these are 2 GiB, 80 000 messages each.
    shard_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of each dispatch queue.")] = 256 * MIB
    # A rung holds what waits for at most a minute.
    rung_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of each rung of the ladder.")] = 128 * MIB
    # A day's parked messages; when it is full, what should be parked stays in its shard.
    parked_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of the parked messages.")] = 256 * MIB
    # Dead letters pass: the router settles them at once.
    dead_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of each dead-letter queue.")] = 64 * MIB
    # Messages with a key of no client should not exist; they are parked at once.
    unknown_max_bytes: Annotated[int, Meta(ge=KIB, description="Byte limit of `dispatch.unknown`.")] = 64 * MIB
    # 0: half of what the broker's fullest node has free above its `disk_free_limit`.
    disk_budget_bytes: Annotated[
        int,
        Meta(
            ge=0,
            description="What the hub's own queues may fill together; 0: half of the broker's free disk.",
        ),
    ] = 0


class WorkersConfig(_Section, frozen=True):
    # One a core: a worker is one busy event loop.
    count: Annotated[int, Meta(ge=0, le=256, description="Worker processes; 0: one a core.")] = 0
    # Between the 100 and 300 where a quorum queue's consumer is usually best; the broker's own cap is 2000.
    prefetch: Annotated[int, Meta(ge=1, le=2000, description="Unsettled messages a shard.")] = 256
    # The law's bound: a worker stops reading above it, so memory is bounded by bytes whatever the prefetch.
    undecided_max_bytes: Annotated[
        int, Meta(ge=MIB, description="Bytes read and not decided yet, a worker; it stops reading above.")
    ] = 64 * MIB
    # Ten missed beats: longer than any garbage collection, shorter than anybody's patience.
    heartbeat_timeout_seconds: Annotated[
        float, Meta(ge=1, le=300, description="A worker silent for so long is killed and started again.")
    ] = 10
    # Below the 30 s that platforms usually give before they kill.
    drain_seconds: Annotated[float, Meta(ge=0, le=3600, description="Time to settle what is in hand at a stop.")] = 20


class DeliveryConfig(_Section, frozen=True):
    # The broker itself sends again within 10 s after a leader's death: three times that is silence.
    confirm_timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=600, description="A confirm that has not come in this time is silence.")
    ] = 30
    # The law's default, the same on the broker (`max_message_size`).
    max_message_bytes: Annotated[int, Meta(ge=KIB, le=128 * MIB, description="Largest body.")] = MIB
    # Nothing is kept longer than a day.
    inbox_ttl_seconds: Annotated[int, Meta(ge=1, le=DAY_SECONDS, description="How long an inbox keeps a message.")] = (
        DAY_SECONDS
    )


class HttpConfig(_Section, frozen=True):
    # Loopback: metrics are not for everybody.
    host: Annotated[str, Meta(min_length=1, description="Address of /metrics, /livez and /readyz.")] = "127.0.0.1"
    # Free in the list of ports that Prometheus exporters agreed on.
    port: Annotated[int, Meta(ge=1, le=65_535, description="Its port.")] = 9419


class LogConfig(_Section, frozen=True):
    # Standard output: the platform collects it.
    target: Annotated[
        str,
        Meta(min_length=1, description="`-` is standard output; else a file to append to.", extra=_IS_FILE),
    ] = "-"


class Config(_Section, frozen=True):
    """The whole file. Each section is a table of its own; `[[vhosts]]` are a list."""

    broker: BrokerConfig = BrokerConfig()
    management: ManagementConfig = ManagementConfig()
    # The deployed perimeter of the exchange between 15 and 18.
    vhosts: tuple[VhostConfig, ...] = (VhostConfig(name="15-nexsis_v1.9", pack="v3"),)
    packs: PacksConfig = PacksConfig()
    directory: DirectoryConfig = DirectoryConfig()
    topology: TopologyConfig = TopologyConfig()
    workers: WorkersConfig = WorkersConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    http: HttpConfig = HttpConfig()
    log: LogConfig = LogConfig()
