"""`./hubex`: what it installs, when it does not, and what it says when it cannot. Everything outside is a stub."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL_TOOLS = ("sh", "cat", "dirname", "readlink", "sha256sum", "mkdir", "cp", "chmod", "id", "flock")

PYTHON = """#!/bin/sh
# Is both the machine's python3 and, copied by `-m venv`, the one inside.
echo "$*" >>"$CALLS"
case "$*" in
*ensurepip*) [ -z "$NO_ENSUREPIP" ] ;;
*version_info*) [ -z "$OLD" ] ;;
*python_version*) echo 3.9.2 ;;
"-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
*broker_command*) [ -z "$NO_BROKER" ] || { echo "RabbitMQ is not installed"; exit 1; } ;;
*"--no-deps"*) for here; do :; done; cp "$CONSOLE" "$here/.venv/bin/hubex" ;;
esac
"""
CONSOLE = '#!/bin/sh\necho "ran in $PWD: $*"\n'

Run = Callable[..., subprocess.CompletedProcess[str]]


def _script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    (folder / "deploy" / "local").mkdir(parents=True)
    for name in ("hubex", "pyproject.toml", "requirements-dev.lock", "deploy/local/apt_install.sh"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """What the stubs were called with, a line each."""
    return tmp_path / "calls"


@pytest.fixture
def run(tmp_path: Path, checkout: Path, calls: Path) -> Run:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in REAL_TOOLS:
        if real := shutil.which(name):
            (tools / name).symlink_to(real)
    _script(tools / "python3", PYTHON)
    console = _script(tmp_path / "console", CONSOLE)

    def call(
        *arguments: str, stubs: dict[str, str] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        for name, text in (stubs or {}).items():
            (tools / name).unlink(missing_ok=True)
            _script(tools / name, text)
        plain = dict.fromkeys(("OLD", "NO_ENSUREPIP", "NO_BROKER"), "")
        calls.write_text("")
        return subprocess.run(
            [str(checkout / "hubex"), *arguments],
            env={
                **plain,
                "PATH": str(tools),
                "HUBEX_PYTHON": "",
                "CALLS": str(calls),
                "CONSOLE": str(console),
                **environment,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return call


@pytest.mark.parametrize("script", ["hubex", "deploy/local/apt_install.sh"])
def test_the_scripts_are_posix_sh(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / script)], check=True)
    assert os.access(ROOT / "hubex", os.X_OK)


def test_ci_is_bash() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def test_the_first_call_installs_by_hashes_and_hands_over_in_the_callers_folder(
    run: Run, calls: Path, tmp_path: Path
) -> None:
    done = run("send", "a b", "--as", "x")
    assert (done.returncode, done.stdout) == (0, f"ran in {tmp_path}: send a b --as x\n")
    pip = [line for line in calls.read_text().splitlines() if "pip install" in line]
    assert len(pip) == 2
    assert "--require-hashes -r" in pip[0] and "requirements-dev.lock" in pip[0]
    assert "--no-deps --no-build-isolation -e" in pip[1]


def test_the_second_call_installs_nothing_until_something_changed(run: Run, calls: Path, checkout: Path) -> None:
    run("run")
    assert run("run").returncode == 0
    assert calls.read_text() == ""
    (checkout / "pyproject.toml").write_text("# changed")
    assert run("run").returncode == 0
    assert "pip install" in calls.read_text()


def test_a_failed_installation_is_not_taken_for_a_whole_one(run: Run, calls: Path, checkout: Path) -> None:
    run("run")
    (checkout / ".venv" / "hubex.stamp").unlink()
    _script(checkout / ".venv" / "bin" / "python", '#!/bin/sh\ncase "$*" in *install*) exit 1;; esac\n')
    done = run("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "hubex: the dependencies could not be installed"
    assert not (checkout / ".venv" / "hubex.stamp").exists()


def test_an_old_python_is_named(run: Run) -> None:
    done = run("--help", OLD="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hubex: Python 3.11 or newer is needed; python3 is 3.9.2\n"


def test_a_missing_venv_module_is_named(run: Run) -> None:
    done = run("--help", NO_ENSUREPIP="1")
    assert done.returncode == 2
    assert done.stderr == "hubex: Python's venv is missing: apt-get install python3-venv\n"


@pytest.mark.parametrize("command", ["demo", "test", "local", "bench"])
def test_commands_that_start_a_broker_say_what_is_missing(run: Run, command: str) -> None:
    done = run(command, NO_BROKER="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "hubex: RabbitMQ is not installed"


def test_where_docker_works_it_says_the_command(run: Run, checkout: Path) -> None:
    done = run("demo", "--once", NO_BROKER="1", stubs={"docker": "#!/bin/sh\n"})
    assert done.returncode == 2
    assert f"docker run --rm -it -v '{checkout}':/hubex" in done.stderr.splitlines()[-1]
    assert done.stderr.endswith("./hubex demo --once\n")


def test_the_suite_runs_without_prometheus_but_says_so(run: Run) -> None:
    done = run("test")
    assert (done.returncode, done.stdout.count("ran in")) == (0, 1)
    assert done.stderr.splitlines()[-1].endswith("the tests of the alerts are skipped")
    tools = {name: "#!/bin/sh\n" for name in ("promtool", "amtool")}
    assert "skipped" not in run("test", stubs=tools).stderr


def test_other_commands_need_no_broker(run: Run) -> None:
    assert run("topology", "plan", NO_BROKER="1").returncode == 0


APT = '#!/bin/sh\necho "apt-get $* [$DEBIAN_FRONTEND]" >>"$CALLS"\n'


def test_without_root_or_sudo_nothing_is_installed(run: Run, calls: Path) -> None:
    stubs = {"apt-get": APT, "id": "#!/bin/sh\necho 1000\n", "sudo": "#!/bin/sh\nexit 1\n"}
    done = run("demo", NO_BROKER="1", stubs=stubs)
    assert done.returncode == 2
    assert "apt-get" not in calls.read_text()
    assert done.stderr.splitlines()[-1] == "hubex: RabbitMQ is not installed"
