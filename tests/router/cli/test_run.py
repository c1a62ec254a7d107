"""`hubex run` up to the moment where the workers start: what is wrong with the configuration is one line."""

import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from router.cli.run import register
from router.core.directory import Client
from router.core.shards import TopologyVersion
from router.settings.directory_file import write_directory
from router.settings.topology_file import write_topology

VHOST = "v"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that a hub needs, but for a free port."""
    write_directory(tmp_path / "clients.toml", [Client(id="fr.health.a")])
    write_topology(tmp_path / "topology.json", {VHOST: TopologyVersion(1, 8, {"fr.health.a": 0}, None)})
    (tmp_path / "hubex.toml").write_text(f'[[vhosts]]\nname = "{VHOST}"\npack = "v3"\n')
    return tmp_path


def fails_with(folder: Path) -> str:
    app = typer.Typer()
    register(app)
    app.command(name="other")(lambda: None)  # with a single command typer would leave out its name
    result = CliRunner().invoke(app, ["run", "--config", str(folder / "hubex.toml")])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("hubex: ") and result.stderr.count("\n") == 1
    return result.stderr


def add(folder: Path, text: str) -> None:
    with (folder / "hubex.toml").open("a") as file:
        file.write(text)


def test_an_unknown_key(folder: Path) -> None:
    add(folder, "[workers]\ncuont = 2\n")
    line = fails_with(folder)
    assert "workers.cuont" in line and "count" in line


def test_a_missing_file(folder: Path) -> None:
    (folder / "hubex.toml").unlink()
    assert "hubex.toml" in fails_with(folder)


def test_a_bad_clients_directory(folder: Path) -> None:
    (folder / "clients.toml").write_text('[[client]]\nid = "Bad Id"\n')
    assert "clients.toml" in fails_with(folder)


def test_a_topology_that_was_not_applied(folder: Path) -> None:
    (folder / "topology.json").unlink()
    assert "hubex topology apply" in fails_with(folder)
    write_topology(folder / "topology.json", {"other": TopologyVersion(1, 8, {}, None)})
    assert "hubex topology apply" in fails_with(folder)


def test_a_pack_that_is_not_there(folder: Path) -> None:
    text = (folder / "hubex.toml").read_text()
    (folder / "hubex.toml").write_text(text.replace('"v3"', '"v99"'))
    assert "v99" in fails_with(folder)


def test_a_log_that_cannot_be_written(folder: Path) -> None:
    add(folder, '[log]\ntarget = "nowhere/log"\n')
    line = fails_with(folder)
    assert "log.target" in line and "No such file or directory" in line


def test_a_port_in_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        add(folder, f"[http]\nport = {port}\n")
        assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in fails_with(folder)


def test_a_password_file_that_is_not_there(folder: Path) -> None:
    add(folder, '[broker]\npassword_file = "secret"\n')
    assert "broker.password_file" in fails_with(folder)
