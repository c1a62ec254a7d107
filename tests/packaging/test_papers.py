"""Lock files, licence, changelog, image: the files that no code reads."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _entries(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Package -> version and hashes. A line that is neither requirement, hash nor comment fails."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    entries = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)( ; [^#]*?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)", line)
        assert found, line
        entries[found[1].lower().replace("_", "-")] = (found[2], frozenset(found[4].split()))
    return entries


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[=<>~! \[]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_none_an_address(lock: str) -> None:
    assert len(_entries(lock)) > 5
    assert "://" not in (ROOT / lock).read_text()


def test_both_lock_files_agree() -> None:
    runtime, everything = (_entries(lock) for lock in LOCKS)
    assert runtime.items() <= everything.items()


def test_everything_that_the_project_asks_for_is_locked() -> None:
    assert _names(PROJECT["dependencies"]) <= set(_entries("requirements.lock"))
    assert _names(PROJECT["optional-dependencies"]["dev"]) <= set(_entries("requirements-dev.lock"))


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_image_copies_what_there_is_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if re.match(r"COPY (?!--from)", line) for word in line.split()[1:-1]]
    assert {"router", "validators", "schemas", "bench", "deploy"} <= set(copied)
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists() and f"!{name}" in kept, name
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    assert lines[-2:] == ['ENTRYPOINT ["hubex"]', 'CMD ["run"]']
