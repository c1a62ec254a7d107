"""`hubex topology` and `hubex clients`: what they print, and how they end."""

import sys
from pathlib import Path

import pytest

from router.cli import app as command_line
from router.core.directory import Client, Format, Naming
from router.settings.config import Config
from router.settings.directory_file import read_directory
from router.topology import apply as topology_apply
from router.topology.management import Management
from router.topology.removal import Waits
from tests.router.topology.fake_management import FakeManagement

CSV = "client_id;useXML;directCISU;editor\nfr.health.a;false;true;X\nfr.fire.b;true;false;Y\n"


class Shell:
    """Runs commands in a folder with a configuration, against a fake broker."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.api = FakeManagement()
        (folder / "hubex.toml").write_text('[[vhosts]]\nname = "v"\npack = "v3"\n')
        self.directory("fr.health.a", "fr.fire.b")

    def directory(self, *ids: str) -> None:
        text = "\n".join(f'[[client]]\nid = "{client_id}"' for client_id in ids)
        (self.folder / "clients.toml").write_text(text)

    def __call__(self, *arguments: str) -> tuple[int, list[str], str]:
        with pytest.raises(SystemExit) as ended:
            command_line.assemble(list(arguments))(list(arguments))
        out, err = self.capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out.splitlines(), err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path, capsys)

    def management(_config: Config) -> Management:
        return made.api

    no_waits = Waits(settle_seconds=0, statistics_seconds=0)
    monkeypatch.setattr(topology_apply, "management_of", management)
    monkeypatch.setattr(topology_apply, "Waits", lambda **_: no_waits)
    return made


def test_plan_then_apply_then_nothing(shell: Shell) -> None:
    code, planned, err = shell("topology", "plan")
    assert code == 0 and not err and planned[0] == "+ [v] vhost"
    code, done, err = shell("topology", "apply")
    assert code == 0 and not err and done[:-1] == planned
    assert done[-1].startswith(str(shell.folder / "topology.json"))
    for command in ("plan", "apply"):
        assert shell("topology", command) == (0, ["nothing to change"], "")


def test_what_is_not_the_hubs_is_named_and_left_alone(shell: Shell) -> None:
    shell("topology", "apply")
    shell.api.put("queues", "v", "tap", body={"durable": True, "arguments": {}})
    _, out, _ = shell("topology", "plan")
    assert out == ["nothing to change", "  not the hub's, left alone: [v] queue tap"]


def test_a_client_that_is_kept_is_one_line_and_exit_code_2(shell: Shell) -> None:
    shell("topology", "apply")
    shell.directory("fr.health.a")
    shell.api.depth("v", "fr.fire.b.in.ack", 5)
    code, _, err = shell("topology", "apply")
    assert code == 2 and err.count("\n") == 1
    assert "fr.fire.b is kept: fr.fire.b.in.ack holds 5 messages; `--force` parks" in err


def test_a_refusal_is_one_line_and_exit_code_2(shell: Shell) -> None:
    shell("topology", "apply")
    shell.api.vhosts["v"]["queues"]["hub.parked"]["arguments"] = {"x-queue-type": "classic"}
    for command in ("plan", "apply"):
        code, _, err = shell("topology", command)
        assert code == 2 and err.count("\n") == 1 and "queue hub.parked: exists with" in err


@pytest.mark.parametrize(
    "name, text, told",
    [
        ("hubex.toml", "[brocker]", "brocker: unknown key"),
        ("clients.toml", "[[client]]\nid = 'A'", "clients.toml: client 'A'"),
        ("topology.json", "{", "topology.json: is not a topology"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_code_2(shell: Shell, name: str, text: str, told: str) -> None:
    (shell.folder / name).write_text(text)
    for command in ("plan", "apply"):
        code, out, err = shell("topology", command)
        assert (code, out) == (2, []) and err.startswith("hubex: ") and told in err and err.count("\n") == 1


def test_a_broker_that_is_not_there_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Management("http://127.0.0.1:1", "u", "p")
    monkeypatch.setattr(topology_apply, "management_of", lambda _: nowhere)
    code, _, err = shell("topology", "plan")
    assert code == 2 and "cannot be reached" in err and err.count("\n") == 1


def test_an_import_merges_and_says_what_it_did(shell: Shell) -> None:
    shell.directory("fr.health.a")
    (shell.folder / "old.csv").write_text(CSV, encoding="utf-8-sig")
    code, out, err = shell("clients", "import", "old.csv")
    assert (code, err) == (0, "")
    assert out == [
        "~ fr.health.a",
        "+ fr.fire.b",
        f"{shell.folder / 'clients.toml'}: 1 added, 1 changed, 0 as they were",
    ]
    assert read_directory(shell.folder / "clients.toml") == (
        Client("fr.health.a", editor="X", direct_cisu=True),
        Client("fr.fire.b", editor="Y", naming=Naming.FLAT, format=Format.XML),
    )
    before = (shell.folder / "clients.toml").stat().st_ino
    code, out, _ = shell("clients", "import", "old.csv")
    assert code == 0 and out == [f"{shell.folder / 'clients.toml'}: 0 added, 0 changed, 2 as they were"]
    assert (shell.folder / "clients.toml").stat().st_ino == before


def test_an_import_makes_the_directory(shell: Shell) -> None:
    (shell.folder / "clients.toml").unlink()
    (shell.folder / "old.csv").write_text(CSV)
    assert shell("clients", "import", "old.csv")[0] == 0
    assert len(read_directory(shell.folder / "clients.toml")) == 2


@pytest.mark.parametrize(
    "content, told",
    [
        (b"fr.x;maybe;true;E\nfr.y;true;x;E\n", "line 1: useXML cannot be read"),
        (b"fr.x;true;true;\xe9\n", "old.csv: is not UTF-8"),
        (b"fr.health.a.in;true;true;E\n", "'fr.health.a.in'"),
        (None, "No such file"),
    ],
)
def test_a_wrong_import_changes_nothing(shell: Shell, content: bytes | None, told: str) -> None:
    before = (shell.folder / "clients.toml").read_bytes()
    if content is not None:
        (shell.folder / "old.csv").write_bytes(content)
    code, out, err = shell("clients", "import", "old.csv")
    assert (code, out) == (2, []) and told in err and err.count("\n") == 1
    assert (shell.folder / "clients.toml").read_bytes() == before


def test_the_console_script_knows_both(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["hubex", "topology", "--help"])
    with pytest.raises(SystemExit):
        command_line.main()
    assert "plan" in capsys.readouterr().out
