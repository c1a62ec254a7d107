"""`hubex schemas`: what it prints, what it writes, and how it ends."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.cli import app as command_line
from router.settings.config import load_config
from router.settings.pack_folders import pack_folder, shipped_packs
from router.settings.packs import PacksError, load_packs
from tests.validators.published_form import published
from tests.validators.support import content_bytes, own_message
from validators import load_pack

Shell = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs `hubex schemas …` in an empty folder: exit code, lines of output, lines of errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        with pytest.raises(SystemExit) as ended:
            command_line.assemble(["schemas"])(["schemas", *arguments])
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of published models."""
    folder = tmp_path / "Models-26.1"
    folder.mkdir()
    for name, content in published(shipped_packs() / "v3").items():
        (folder / name).write_text(json.dumps(content))
    return folder


def change(path: Path, how: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    how(value)
    path.write_text(json.dumps(value))


def test_list_tells_every_pack_with_version_and_use_cases(shell: Shell) -> None:
    code, out, err = shell("list")
    assert (code, err) == (0, [])
    assert [line.split() for line in out if not line.startswith(" ")] == [
        ["v1", "version", "2.0+24.08.20", "16", "use", "cases", "shipped"],
        ["v2", "version", "2.0+24.10.16", "21", "use", "cases", "shipped"],
        ["v3", "version", "1.9", "23", "use", "cases", "shipped"],
    ]
    assert "    RC-EDA  createCase" in out and "    RS-ERROR  error  (no header)" in out


def test_check_of_all_and_of_some(shell: Shell) -> None:
    assert shell("check") == (0, [f"v{n}: whole, {cases} use cases" for n, cases in ((1, 16), (2, 21), (3, 23))], [])
    assert shell("check", "v2", str(shipped_packs() / "v1"))[:2] == (
        0,
        ["v2: whole, 21 use cases", f"{shipped_packs() / 'v1'}: whole, 16 use cases"],
    )


def test_check_names_every_fault(shell: Shell, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped_packs() / "v3", tmp_path / "packs" / "broken"))
    (folder / "RC-REF.schema.json").unlink()
    change(folder / "RC-EDA.schema.json", lambda schema: schema["properties"]["caseId"].update(minLength=1))
    code, out, err = shell("check", "broken", "v3")
    assert (code, err) == (1, [])
    assert sorted(out) == [
        "broken: RC-EDA.schema.json#/caseId: keyword 'minLength' is not supported here",
        "broken: RC-REF.schema.json: No such file or directory",
        "v3: whole, 23 use cases",
    ]
    code, out, _ = shell("list")
    assert code == 1 and f"broken  broken, 2 faults: see `hubex schemas check broken`  {folder}" in out


def test_an_import_makes_a_pack_that_a_vhost_may_name(shell: Shell, models: Path, tmp_path: Path) -> None:
    code, out, err = shell("import", str(models))
    target = tmp_path / "packs" / "models-26.1"
    assert (code, err, out) == (0, [], [f"{target}: version 1.9, 23 use cases"])
    assert load_pack(target).check(content_bytes(own_message())) == ("RC-EDA",)
    assert sorted(path.name for path in target.parent.iterdir()) == ["models-26.1"]
    (tmp_path / "hubex.toml").write_text(
        '[[vhosts]]\nname = "v"\npack = "models-26.1"\n[[vhosts]]\nname="w"\npack="v1"'
    )
    loaded = load_packs(load_config(tmp_path / "hubex.toml", {}))
    assert {vhost: pack.name for vhost, pack in loaded.items()} == {"v": "models-26.1", "w": "v1"}
    assert shell("check", "models-26.1")[:2] == (0, ["models-26.1: whole, 23 use cases"])


def test_an_import_goes_where_the_configuration_says_under_the_name_given(
    shell: Shell, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "hubex.toml").write_text('[packs]\nfolder = "elsewhere"')
    (models / "RC-SR.schema.json").write_text("{}")
    code, out, _ = shell("import", str(models), "--name", "v4", "--namespace", "urn:next:2.0")
    assert code == 0 and out == [
        f"{tmp_path / 'elsewhere' / 'v4'}: version 1.9, 23 use cases",
        "left out, since the envelope does not lead there: RC-SR.schema.json",
    ]
    manifest = load_pack(tmp_path / "elsewhere" / "v4").manifest
    assert (manifest.pack, manifest.base_namespace) == ("v4", "urn:next:2.0")


def test_an_import_with_faults_names_all_and_writes_nothing(shell: Shell, models: Path, tmp_path: Path) -> None:
    (models / "RC-REF.schema.json").unlink()
    (models / "RS-SR.schema.json").write_text("{")
    code, out, err = shell("import", str(models))
    assert (code, out, len(err)) == (1, [], 3)
    assert err[1:] == [
        f"{models}: {name}.schema.json: EDXL-DE-full.schema.json needs it" for name in ("RC-REF", "RS-SR")
    ]
    shutil.copy(shipped_packs() / "v3" / "GEO-REQ.schema.json", models / "RC-REF.schema.json")
    change(models / "GEO-REQ.schema.json", lambda schema: schema.update(minProperties=1))
    shutil.copy(models / "GEO-REQ.schema.json", models / "RS-SR.schema.json")
    code, out, err = shell("import", str(models))
    assert (code, out) == (1, [])
    assert err == [
        f"{models}: {name}.schema.json#: keyword 'minProperties' is not supported here" for name in ("RS-SR", "GEO-REQ")
    ]
    assert not list((tmp_path / "packs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "nowhere"], "nowhere: is no folder"),
        (["import", "Models-26.1", "--name", "v3"], "there is a pack 'v3' already"),
        (["import", "Models-26.1", "--name", "../x"], "'../x' is no name for a pack"),
        (["check", "v9"], "v9: is neither a folder nor a pack"),
        (["list", "--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(shell: Shell, models: Path, arguments: list[str], told: str) -> None:
    code, out, err = shell(*arguments)
    assert (code, out, len(err)) == (2, [], 1) and err[0].startswith("hubex: ") and told in err[0]


def test_a_pack_is_not_overwritten(shell: Shell, models: Path, tmp_path: Path) -> None:
    assert shell("import", str(models))[0] == 0
    before = (tmp_path / "packs" / "models-26.1" / "manifest.json").stat().st_ino
    assert shell("import", str(models))[0] == 2
    assert (tmp_path / "packs" / "models-26.1" / "manifest.json").stat().st_ino == before


def test_a_vhost_with_a_pack_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "hubex.toml").write_text('[[vhosts]]\nname = "v"\npack = "v9"')
    with pytest.raises(PacksError, match="'v9': manifest.json: No such file or directory"):
        load_packs(load_config(tmp_path / "hubex.toml", {}))


def test_shipped_packs_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "v3").mkdir()
    (tmp_path / "v3" / "manifest.json").touch()
    assert pack_folder("v3", tmp_path) == shipped_packs() / "v3"
    assert pack_folder("v4", tmp_path) == tmp_path / "v4"
