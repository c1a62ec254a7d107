"""The clients directory on disk, and the deployed CSV."""

import os
from pathlib import Path

import pytest

from router.core.directory import Client, Format, Naming
from router.settings.directory_file import (
    DirectoryFileError,
    import_deployed_csv,
    read_directory,
    write_directory,
)

CLIENTS = (
    Client("fr.health.hub.samu050", editor='Éditeur "X" \\ \x7f'),
    Client(
        "fr.fire.nexsis.sdis-50",
        naming=Naming.FLAT,
        format=Format.JSON,
        test=True,
        direct_cisu=True,
        vhosts=("15-nexsis_v1.9", "15-15_v2.0"),
    ),
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clients.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path, *extra_ids: str) -> list[str]:
    with pytest.raises(DirectoryFileError) as caught:
        read_directory(path, extra_ids)
    assert "\n" not in str(caught.value)
    return [str(fault) for fault in caught.value.faults]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    write_directory(path, CLIENTS)
    assert read_directory(path) == CLIENTS
    write_directory(path, ())
    assert read_directory(path) == ()


def test_defaults_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    write_directory(path, (Client("a"), Client("b", test=True)))
    assert path.read_text() == '[[client]]\nid = "a"\n\n[[client]]\nid = "b"\ntest = true\n'


def test_head_comments_the_mode_and_the_link_survive_a_write(tmp_path: Path) -> None:
    path = write(tmp_path, "# ours\n# really\n\n[[client]]\nid = 'a' # gone\n")
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    write_directory(link, (Client("b"),))
    assert link.is_symlink() and path.read_text() == '# ours\n# really\n\n[[client]]\nid = "b"\n'
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["clients.toml", "link.toml"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "[[client]]\nid = 'a'\n")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_directory(path, CLIENTS)
    assert read_directory(path) == (Client("a"),) and os.listdir(tmp_path) == ["clients.toml"]


def test_every_wrong_key_and_value_is_listed(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[[client]]\nid='a'\nnaming='flatt'\neditr='x'\n[[client]]\nformat='yaml'\n[[client]]\nid='b'\ntest='yes'",
    )
    assert faults(path) == [
        "client[0].naming: is text; allowed: in-out, flat",
        "client[0].editr: unknown key; allowed: id, editor, naming, format, test, direct_cisu, vhosts",
        "client[1].format: is text; allowed: json, xml",
        "client[1].id: is missing; allowed: text",
        "client[2].test: is text; allowed: true or false",
    ]


def test_ids_are_checked_and_may_be_allowed_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path, "[[client]]\nid='Fr_A'\n[[client]]\nid='b'\n[[client]]\nid='b'")
    first, second = faults(path)
    assert "'Fr_A'" in first and "'b'" in second
    assert len(faults(path, "Fr_A")) == 1


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    assert "cannot be read" in faults(tmp_path / "clients.toml")[0]
    assert "is not TOML" in faults(write(tmp_path, "[[client]"))[0]
    assert "client: is a table" in faults(write(tmp_path, "[client]\nid='a'"))[0]


CSV = "client_id;useXML;directCISU;editor\nfr.health.a;false;true;X\nfr.fire.b;TRUE;0;Y et Z\n"
IMPORTED = (
    Client("fr.health.a", editor="X", naming=Naming.FLAT, format=Format.JSON, direct_cisu=True),
    Client("fr.fire.b", editor="Y et Z", naming=Naming.FLAT, format=Format.XML),
)


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV.replace("\n", "\r\n"),
        CSV.replace("false", "No").replace("TRUE", "1").replace("true", "yes"),
        CSV.replace("false", "non").replace("TRUE", "Oui"),
        CSV.split("\n", 1)[1],
        CSV.replace("\n", "\n\n") + ";;;\n",
        CSV.replace("fr.health.a;false", ' fr.health.a ; "false" ').replace(' "false" ', '"false"'),
        "CLIENT_ID;usexml;DirectCisu;editor\n" + CSV.split("\n", 1)[1],
        "editor;client_id;directCISU;useXML\nX;fr.health.a;true;false\nY et Z;fr.fire.b;0;TRUE",
    ],
)
def test_the_deployed_csv_in_its_variants(text: str) -> None:
    assert import_deployed_csv(text) == IMPORTED


def test_all_wrong_lines_are_listed() -> None:
    text = "client_id;useXML;directCISU;editor\na;maybe;;X\nb;true;false\nc;true;false;X;Y\nd;true;false;X\n"
    with pytest.raises(DirectoryFileError) as caught:
        import_deployed_csv(text)
    assert [str(fault).partition(";")[0] for fault in caught.value.faults] == [
        "line 2: useXML and directCISU cannot be read",
        "line 3: has 3 fields",
        "line 4: has 5 fields",
    ]


def test_wrong_ids_are_listed_with_their_lines() -> None:
    text = "Fr_A;true;false;X\nb;true;false;X\nb;true;false;X\nhub.x;true;false;X\n"
    with pytest.raises(DirectoryFileError) as caught:
        import_deployed_csv(text)
    assert [str(fault).partition(":")[0] for fault in caught.value.faults] == ["line 1", "line 4", "line 3"]
    assert len(import_deployed_csv(text.splitlines()[0], extra_ids=("Fr_A",))) == 1


def test_another_header_is_refused() -> None:
    with pytest.raises(DirectoryFileError, match="line 1: is another header"):
        import_deployed_csv("client_id;xml\na;true\n")


def test_broken_quotes_are_refused_with_their_line() -> None:
    with pytest.raises(DirectoryFileError, match="line 2: is not CSV"):
        import_deployed_csv('a;true;false;X\n"b"c;true;false;X\n')


def test_an_empty_text_has_no_clients() -> None:
    assert import_deployed_csv("") == ()
