"""Files of the state folder: whole or not there, with their mode from the first byte on."""

import os
from pathlib import Path


def write_private(path: Path, text: str, mode: int) -> None:
    """Replaces the file at once. A half-written one is never seen, whoever is killed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def install(path: Path, text: str, mode: int = 0o600) -> bool:
    """Writes the file when it differs. Returns whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_private(path, text, mode)
    return True
