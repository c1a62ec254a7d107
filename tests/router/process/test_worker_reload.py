"""A worker's reload without a broker: the new rules are taken whole, or the old ones stay and the log says why."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.core.shards import TopologyVersion
from router.process.worker import Worker, rules_of
from router.settings.config import load_config
from router.settings.pack_folders import shipped_packs
from router.settings.topology_file import write_topology


class Stage:
    """The files of a hub with the vhosts `one` and `two`, and a worker that has read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.jsonl"
        (folder / "clients.toml").write_text('[[client]]\nid = "fr.health.a"\n')
        write_topology(folder / "topology.json", {name: TopologyVersion(1, 2, {}) for name in ("one", "two", "three")})
        shutil.copytree(shipped_packs() / "v3", folder / "packs" / "next")
        manifest = folder / "packs" / "next" / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), "pack": "next"}), "utf-8")
        self.path = folder / "hubex.toml"
        self.write(one="next", two="v1")
        config = load_config(self.path, {})
        self.worker = Worker(config, self.path, 0)
        for vhost, rules in rules_of(config, self.worker._packs).items():
            self.worker._start_session(vhost, rules)

    def write(self, **vhosts: str) -> None:
        tables = "".join(f'[[vhosts]]\nname = "{name}"\npack = "{pack}"\n' for name, pack in vhosts.items())
        self.path.write_text(
            f'{tables}[directory]\nfile = "{self.folder}/clients.toml"\n'
            f'[topology]\nfile = "{self.folder}/topology.json"\n'
            f'[packs]\nfolder = "{self.folder}/packs"\n[log]\ntarget = "{self.log}"\n'
        )

    def packs(self) -> dict[str, str]:
        return {name: session.rules.pack.name for name, session in self.worker._sessions.items()}

    def reload(self, times: int = 1) -> None:
        async def asked() -> None:
            for _ in range(times):
                self.worker._reload()
            assert self.worker._reloading is not None
            await self.worker._reloading

        asyncio.run(asked())

    def notices(self) -> list[tuple[str, str]]:
        self.worker._log.close()
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [(line["name"], line["text"]) for line in lines]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.worker._log.close()


def test_a_vhost_gets_the_pack_that_it_names_now_and_each_reload_has_its_turn(stage: Stage) -> None:
    stage.write(one="v2", two="v3")
    stage.reload(times=2)
    assert stage.packs() == {"one": "v2", "two": "v3"}
    assert [name for name, _ in stage.notices()] == ["reloaded", "reloaded"]


@pytest.mark.parametrize(
    "vhosts", ({"one": "v2"}, {"one": "v2", "renamed": "v2"}, {"one": "v2", "two": "v2", "three": "v2"})
)
def test_other_vhosts_are_refused_and_the_old_rules_stay(stage: Stage, vhosts: dict[str, str]) -> None:
    if "renamed" in vhosts:
        write_topology(stage.folder / "topology.json", {name: TopologyVersion(1, 2, {}) for name in vhosts})
    stage.write(**vhosts)
    stage.reload()
    assert stage.packs() == {"one": "next", "two": "v1"}
    assert stage.notices() == [("reload_refused", "vhosts: has other names; allowed: a restart of the workers")]


def test_a_pack_that_is_gone_is_refused_by_its_name(stage: Stage) -> None:
    shutil.rmtree(stage.folder / "packs" / "next")
    stage.reload()
    assert stage.packs() == {"one": "next", "two": "v1"}
    ((name, text),) = stage.notices()
    assert name == "reload_refused" and "'next'" in text


def test_a_pack_without_error_reports_is_refused(stage: Stage) -> None:
    """Each refusal would fail on its way back to its sender."""
    path = stage.folder / "packs" / "next" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["use_cases"] = [case for case in manifest["use_cases"] if case["root"] != "error"]
    path.write_text(json.dumps(manifest), "utf-8")
    stage.reload()
    ((name, text),) = stage.notices()
    assert name == "reload_refused" and "model pack 'next': cannot hold the hub's error reports: $.content[0]" in text


def test_an_error_of_our_own_is_told_and_the_old_rules_stay(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.process.worker.load_packs", lambda config: 1 / 0)
    stage.reload()
    assert stage.packs() == {"one": "next", "two": "v1"}
    assert stage.notices() == [("reload_refused", "internal error: ZeroDivisionError")]
