"""The model packs that the vhosts name, loaded, their slow path compiled."""

from router.core.report import report_faults
from router.settings.code_file import CodeFile
from router.settings.config import Config
from router.settings.pack_folders import pack_folder
from router.settings.strict import SettingsError
from validators import Pack, PackError, load_pack, sentence


class PacksError(SettingsError):
    """A pack that a vhost names is not there, not whole, or has no error reports. Faults name each thing that is wrong
    with it."""


def load_packs(config: Config) -> dict[str, Pack]:
    """The packs of all vhosts, by the vhost's name. A tenth of a second a pack, twice that before its code is kept.
    Raises PacksError."""
    faults: list[str] = []
    packs: dict[str, Pack] = {}
    for name in dict.fromkeys(vhost.pack for vhost in config.vhosts):
        folder = pack_folder(name, config.packs.folder)
        try:
            packs[name] = load_pack(folder)
        except PackError as error:
            faults += [f"model pack {name!r}: {fault}" for fault in error.faults]
        else:
            packs[name].compile(CodeFile(folder))
            said = (sentence(fault, "en") for fault in report_faults(packs[name]))
            faults += [f"model pack {name!r}: cannot hold the hub's error reports: {what}" for what in said]
    if faults:
        raise PacksError(*faults)
    return {vhost.name: packs[vhost.pack] for vhost in config.vhosts}
