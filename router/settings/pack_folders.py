"""Where model packs are: those that ship with the hub, and the folder of imported ones."""

from pathlib import Path

import schemas
from validators.manifest import MANIFEST


def shipped_packs() -> Path:
    """The folder of the packs that ship with the hub."""
    return Path(next(iter(schemas.__path__)))


def pack_folder(name: str, imported: Path) -> Path:
    """The folder of a pack, whether it is there or not. The names of the shipped packs are theirs alone."""
    shipped = shipped_packs() / name
    return shipped if (shipped / MANIFEST).is_file() else imported / name


def pack_folders(imported: Path) -> dict[str, Path]:
    """Every pack there is, by name: the shipped ones first."""
    found = [*sorted(shipped_packs().glob(f"*/{MANIFEST}")), *sorted(imported.glob(f"[!.]*/{MANIFEST}"))]
    return {path.parent.name: pack_folder(path.parent.name, imported) for path in found}
