"""The configuration: one TOML file, read strictly, each key overridable by the environment.

An unknown key, a wrong type and a value out of range are refused with their path and what is allowed, all
at once. No text value is ever repeated in an error, because it might be a secret.

Environment: `HUBEX_<SECTION>__<KEY>` (`HUBEX_BROKER__PORT=5700`) wins over the file; lists and tables are
JSON, and `HUBEX_VHOSTS` is a list of tables. Variables without a double underscore that name no section are
not ours to judge: platforms set some (Kubernetes gives every pod `HUBEX_PORT` when a service is called so).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, inspect
from msgspec.structs import FieldInfo, fields, replace

from router.settings.sections import (
    BrokerConfig,
    Config,
    ConfigError,
    DeliveryConfig,
    DirectoryConfig,
    HttpConfig,
    LogConfig,
    ManagementConfig,
    PacksConfig,
    TopologyConfig,
    VhostConfig,
    WorkersConfig,
)
from router.settings.strict import Fault, describe, description, read_struct, takes_text
from router.settings.toml_reading import Unreadable, read_toml

__all__ = [
    "BrokerConfig",
    "Config",
    "ConfigError",
    "DeliveryConfig",
    "DirectoryConfig",
    "Fault",
    "HttpConfig",
    "LogConfig",
    "ManagementConfig",
    "PacksConfig",
    "TopologyConfig",
    "VhostConfig",
    "WorkersConfig",
    "config_reference",
    "find_config",
    "load_config",
]

ENV_PREFIX: Final = "HUBEX_"
OTHER_VARIABLES: Final = frozenset({"HUBEX_CONFIG", "HUBEX_SUPERVISOR_FD", "HUBEX_WORKERS", "HUBEX_RABBITMQ"})
"""Variables of the hub that are not configuration keys."""

DEFAULT_FILE: Final = "hubex.toml"

T = TypeVar("T", bound=Struct)


def find_config(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Which file a command reads: the option, else HUBEX_CONFIG, else ./hubex.toml if there is one, else
    none."""
    if option is not None:
        return option
    if named := environ.get("HUBEX_CONFIG"):
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The file (None: the built-in defaults), with the environment's overrides.

    Relative paths, also those from the environment, are taken from the file's folder (without a file: from
    the working directory) and made absolute. Raises ConfigError with every fault at once.
    """
    try:
        table = {} if path is None else read_toml(path)
    except Unreadable as error:
        raise ConfigError(error.fault) from None
    faults: list[Fault] = []
    _override(table, environ, faults)
    config = read_struct(Config, table, "", faults)
    if config is not None:
        faults.extend(_contradictions(config))
    if faults or config is None:
        raise ConfigError(*faults)
    base = Path.cwd() if path is None else path.absolute().parent
    return _with_absolute_paths(config, base)


def _override(table: dict[str, Any], environ: Mapping[str, str], faults: list[Fault]) -> None:
    """Lays the environment over the file's table.

    Sorted, so that a whole section (`HUBEX_BROKER`) comes before its keys (`HUBEX_BROKER__PORT`).
    """
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable in _VARIABLES:
            section, field = _VARIABLES[variable]
            try:
                value = _value(field, environ[variable])
            except msgspec.DecodeError:
                allowed = f"{describe(field.type)} (lists and tables as JSON)"
                faults.append(Fault(variable, "cannot be read", allowed))
                continue
            _lay(table, value, *((section, field.name) if section else (field.name,)))
        elif "__" in variable:
            faults.append(Fault(variable, "is no configuration key", ", ".join(_nearest(variable))))


def _value(field: FieldInfo, text: str) -> Any:
    return text if takes_text(field) else msgspec.json.decode(text)


def _lay(table: dict[str, Any], value: Any, name: str, key: str | None = None) -> None:
    """Sets one key of a section, or a whole section: tables are merged, everything else is replaced."""
    if key is not None:
        value = {key: value}
    old = table.get(name, {})
    table[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value


def _nearest(variable: str) -> Iterable[str]:
    """The variables that a mistyped one may have meant: those of its section, else the sections."""
    section = variable.partition("__")[0] + "__"
    return [known for known in _VARIABLES if known.startswith(section)] or ["HUBEX_VHOSTS", *_SECTION_VARIABLES]


def _keys_of(section: FieldInfo) -> tuple[FieldInfo, ...]:
    """The keys of a section; none for a list of tables."""
    info = inspect.type_info(section.type)
    return fields(info.cls) if isinstance(info, inspect.StructType) else ()


def _variables() -> Iterable[tuple[str, tuple[str, FieldInfo]]]:
    for section in fields(Config):
        name = f"{ENV_PREFIX}{section.name.upper()}"
        yield name, ("", section)
        for field in _keys_of(section):
            yield f"{name}__{field.name.upper()}", (section.name, field)


_VARIABLES: Final = {name: at for name, at in _variables() if name not in OTHER_VARIABLES}
"""Variable -> (section, key); a whole section has no section above it."""

_SECTION_VARIABLES: Final = tuple(
    dict.fromkeys(f"{name.partition('__')[0]}__<KEY>" for name in _VARIABLES if "__" in name)
)


def _contradictions(config: Config) -> Iterable[Fault]:
    """What each key allows by itself and the whole does not."""
    if not config.vhosts:
        yield Fault("vhosts", "is empty", "at least one table with name and pack")
    seen: set[str] = set()
    for index, vhost in enumerate(config.vhosts):
        if vhost.name in seen:
            yield Fault(f"vhosts[{index}].name", "is that of another vhost", "a name of its own")
        seen.add(vhost.name)
    for name, section in (("broker", config.broker), ("management", config.management)):
        if section.password and section.password_file:
            yield Fault(f"{name}.password", "is set beside password_file", "one of the two")
    if config.broker.user == config.management.user:
        yield Fault("management.user", "is also broker.user", "an administrator apart from the router's user")
    if config.workers.undecided_max_bytes < config.delivery.max_message_bytes:
        yield Fault(
            "workers.undecided_max_bytes",
            "is below delivery.max_message_bytes",
            f"at least {config.delivery.max_message_bytes}",
        )


def _with_absolute_paths(section: T, base: Path) -> T:
    """The same section, its files (and those of its sections) taken from `base`. "" and "-" are no files."""
    changed: dict[str, Any] = {}
    for field in fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Struct):
            changed[field.name] = _with_absolute_paths(value, base)
        elif isinstance(value, Path):
            changed[field.name] = base / value
        elif _is_file(field) and value not in ("", "-"):
            changed[field.name] = str(base / value)
    return replace(section, **changed)


def _is_file(field: FieldInfo) -> bool:
    info = inspect.type_info(field.type)
    return isinstance(info, inspect.Metadata) and bool((info.extra or {}).get("file"))


def config_reference() -> list[tuple[str, str, str]]:
    """Every key with its default and meaning, in the order of the sections: the README's table."""
    rows: list[tuple[str, str, str]] = []
    for section in fields(Config):
        default = getattr(Config(), section.name)
        path, sample = (f"{section.name}[]", default[0]) if isinstance(default, tuple) else (section.name, default)
        for field in fields(sample):
            shown = msgspec.json.encode(getattr(sample, field.name), enc_hook=str).decode()
            rows.append((f"{path}.{field.name}", shown, description(field)))
    return rows
