"""The applied topology on disk."""

from pathlib import Path

import pytest

from router.core.shards import TopologyVersion
from router.settings.topology_file import TopologyFileError, read_topology, write_topology

VERSIONS = {"v": TopologyVersion(3, 8, {"a": 7, "b": 0}, {"a": 7}), "w": TopologyVersion(1, 1, {})}


def test_what_is_written_is_read_and_written_once(tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    assert write_topology(path, VERSIONS) and read_topology(path) == VERSIONS
    assert not write_topology(path, dict(reversed(VERSIONS.items())))
    assert write_topology(path, {}) and read_topology(path) == {}


def test_a_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(TopologyFileError, match="hubex topology apply") as caught:
        read_topology(tmp_path / "topology.json")
    assert caught.value.missing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"v": {"version": 1}}',
        '{"v": {"version": 1, "shards": 8, "clients": {}, "x": 1}}',
        '{"v": {"version": 0, "shards": 8, "clients": {}}}',
        '{"v": {"version": 1, "shards": 101, "clients": {}}}',
        '{"v": {"version": 1, "shards": 8, "clients": {"a": 8}}}',
        '{"v": {"version": 1, "shards": 8, "clients": {"a": -1}}}',
        '{"v": {"version": 1, "shards": 8, "clients": {"a": "1"}}}',
    ],
)
def test_a_file_that_is_no_topology_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "topology.json"
    path.write_text(text)
    with pytest.raises(TopologyFileError, match="topology.json") as caught:
        read_topology(path)
    assert not caught.value.missing


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyFileError, match="cannot be read"):
        read_topology(tmp_path)
