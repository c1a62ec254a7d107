"""The applied topology as a file: one JSON object, vhost -> TopologyVersion.

Written by `hubex topology apply`, atomically; read by the router at its start and on SIGHUP. A router
without this file must not run: by it alone it tells a client's own message from a copy that strayed into
another shard.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from router.core.shards import SHARDS_MAX, TopologyVersion
from router.settings.atomic import write_atomically
from router.settings.strict import Fault, SettingsError

_DECODER: Final = msgspec.json.Decoder(dict[str, TopologyVersion])


class TopologyFileError(SettingsError):
    """The topology file cannot be used. `missing` is true when it is just not there."""

    def __init__(self, *faults: Fault, missing: bool = False) -> None:
        super().__init__(*faults)
        self.missing = missing


def read_topology(path: Path) -> dict[str, TopologyVersion]:
    """The versions of all vhosts. Raises TopologyFileError."""
    try:
        versions = _DECODER.decode(path.read_bytes())
    except FileNotFoundError:
        fault = Fault(str(path), "is not there", "the file that `hubex topology apply` writes")
        raise TopologyFileError(fault, missing=True) from None
    except OSError as error:
        raise TopologyFileError(Fault(str(path), f"cannot be read ({error.strerror})", "a readable file")) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        fault = Fault(str(path), f"is not a topology ({error})", "what `hubex topology apply` wrote")
        raise TopologyFileError(fault) from None
    if faults := [fault for vhost, version in versions.items() for fault in _faults(path, vhost, version)]:
        raise TopologyFileError(*faults)
    return versions


def _faults(path: Path, vhost: str, version: TopologyVersion) -> list[Fault]:
    place = f"{path}: {vhost}"
    if version.version < 1 or not 1 <= version.shards <= SHARDS_MAX:
        return [Fault(place, "version or shards out of range", f"version from 1, shards from 1 to {SHARDS_MAX}")]
    return [
        Fault(f"{place}.clients.{client_id}", f"is {shard}", f"0 to {version.shards - 1}")
        for client_id, shard in version.clients.items()
        if not 0 <= shard < version.shards
    ]


def write_topology(path: Path, versions: Mapping[str, TopologyVersion]) -> bool:
    """Writes the file unless it already says so; true when it was written. Raises OSError; then nothing
    changed."""
    content = msgspec.json.format(msgspec.json.encode(versions, order="sorted"), indent=2) + b"\n"
    try:
        if path.read_bytes() == content:
            return False
    except OSError:
        pass
    write_atomically(path, content)
    return True
