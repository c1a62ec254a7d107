"""Where things are kept: in the checkout when there is one, else in the working directory."""

from pathlib import Path


def checkout() -> Path | None:
    """The folder of the project's sources; None when hubex is installed from a wheel."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "tests").is_dir() else None


def state_root() -> Path:
    """The folder that holds the local clusters."""
    return (checkout() or Path.cwd()) / ".hubex"
