"""Reading what is there: answers of brokers from 3.10 on."""

from typing import Any

import pytest

from router.topology.actual import read_actual, read_depth, read_vhost
from router.topology.objects import ActualQueue, Binding
from tests.router.topology.fake_management import FakeManagement


@pytest.fixture
def api() -> FakeManagement:
    fake = FakeManagement()
    fake.put("vhosts", "v", body={})
    return fake


def test_fields_that_newer_brokers_add_are_let_pass(api: FakeManagement) -> None:
    api.vhosts["v"]["queues"]["q"] = {
        "name": "q",
        "vhost": "v",
        "durable": True,
        "arguments": {"x-queue-type": "quorum"},
        "type": "quorum",
        "messages": 3,
        "message_bytes": 10,
        "leader": "n1",
        "new_in_5": {},
    }
    assert read_vhost(api, "v").queues == (
        ActualQueue("q", arguments={"x-queue-type": "quorum"}, messages=3, message_bytes=10),
    )


def test_the_default_exchanges_bindings_and_those_to_exchanges_are_not_ours(api: FakeManagement) -> None:
    api.vhosts["v"]["bindings"]["e", "q", "k"] = True
    assert read_vhost(api, "v").bindings == {Binding("e", "q", "k")}


def test_a_vhost_that_is_not_there_is_empty(api: FakeManagement) -> None:
    actual = read_actual(api, ["v", "w"])
    assert actual.vhosts["v"].exists and not actual.vhosts["w"].exists


@pytest.mark.parametrize(
    "tags, read",
    [(["a", "b"], ("a", "b")), ("a,b", ("a", "b")), ("", ()), ([], ()), ([""], ()), (None, ())],
)
def test_tags_in_the_writings_of_all_versions(api: FakeManagement, tags: Any, read: tuple[str, ...]) -> None:
    api.users["u"] = {"name": "u", "tags": tags}
    assert read_actual(api, ["v"]).users["u"] == read


@pytest.mark.parametrize(
    "nodes, free",
    [
        ([{"running": True, "disk_free": 10, "disk_free_limit": 4}], 6),
        ([{"running": True, "disk_free": 3, "disk_free_limit": 4}], 0),
        ([{"running": True, "disk_free": n, "disk_free_limit": 4} for n in (10, 7, 9)], 3),
        ([{"running": False, "disk_free": 5, "disk_free_limit": 4}], None),
        ([{"running": True}], None),
        ([{"running": True, "disk_free": "disk_free_monitoring_disabled", "disk_free_limit": 4}], None),
        ([{"running": True, "disk_free": 9, "disk_free_limit": 4}, {"running": True}], 5),
    ],
)
def test_the_fullest_running_node_counts(api: FakeManagement, nodes: list[dict[str, Any]], free: int | None) -> None:
    api.nodes = nodes
    assert read_actual(api, ["v"]).disk_free_bytes == free


def test_a_depth_not_known_is_not_zero(api: FakeManagement) -> None:
    api.vhosts["v"]["queues"]["q"] = {"name": "q"}
    assert read_depth(api, "v", "q") is None and read_depth(api, "v", "absent") == 0
    api.depth("v", "q", 4)
    assert read_depth(api, "v", "q") == 4
