"""The wheel: built without a network, it holds everything that runs and gives the same `hubex`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("router", "validators", "bench", "deploy", "schemas")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a folder of its own, which comes before the checkout on the path."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return folder


def _hubex(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(installed / "bin" / "hubex"), *arguments],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=installed,
        capture_output=True,
        text=True,
    )


def _files_of_the_checkout() -> set[str]:
    return {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and ROOT / "bench/results" not in file.parents
    }


def test_every_file_of_every_package_is_in_the_wheel(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    assert _files_of_the_checkout() - held == set()
    for pack in ("v1", "v2", "v3"):
        for part in ("", "codes/", "nomenclatures/"):
            assert any(name.startswith(f"schemas/{pack}/{part}") and name.endswith(".json") for name in held)


def test_nothing_else_is_in_the_wheel_but_its_own_papers(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    others = {name for name in names if name.split("/")[0] not in PACKAGES}
    assert {name.split("/")[0].rpartition(".")[2] for name in others} == {"dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in others)


def test_the_installed_wheel_gives_hubex(installed: Path) -> None:
    done = _hubex(installed, "--help")
    assert done.returncode == 0, done.stderr
    for command in ("run", "topology", "local", "test"):
        assert command in done.stdout


def test_the_installed_wheel_says_in_one_line_that_it_has_no_tests(installed: Path) -> None:
    done = _hubex(installed, "test")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hubex: there are no tests here")
    assert done.stderr.count("\n") == 1
