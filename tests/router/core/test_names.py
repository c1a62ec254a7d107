"""The names of the wire, and patterns that match one name only."""

import re

import pytest

from router.core import names

NEIGHBOURS = [
    ("fr.health.samu57", "fr.health.samu570"),
    ("fr.health.samu.57", "fr.health.samux57"),
    ("a+b", "aab"),
    ("{username}", "username"),
    ("a|b", "a"),
]


@pytest.mark.parametrize("name, neighbour", NEIGHBOURS)
def test_a_pattern_matches_its_name_and_no_neighbour(name: str, neighbour: str) -> None:
    pattern = re.compile(names.exactly(name))
    assert pattern.search(name)
    for other in (neighbour, name + ".x", "x." + name, name + "0", "0" + name, ""):
        assert not pattern.search(other), other


@pytest.mark.parametrize("name, neighbour", NEIGHBOURS)
def test_a_pattern_of_several_names_matches_each_alone(name: str, neighbour: str) -> None:
    pattern = re.compile(names.exactly(f"{name}.ack", f"{name}.info"))
    assert pattern.search(f"{name}.ack") and pattern.search(f"{name}.info")
    for other in (name, f"{neighbour}.ack", f"x{name}.ack", f"{name}.infos", f"{name}.ack|{name}.info"):
        assert not pattern.search(other), other


def test_a_pattern_of_nothing_matches_nothing() -> None:
    assert names.exactly() == "^$"


def test_braces_are_never_left_for_the_broker_to_expand() -> None:
    assert "{username}" not in names.exactly("fr.{username}")
    assert "{vhost}" not in names.exactly("fr.{vhost}")


def test_every_distribution_kind_has_an_inbox_kind() -> None:
    assert names.KIND_OF_DISTRIBUTION == {
        "Report": "message",
        "Update": "message",
        "Cancel": "message",
        "Ack": "ack",
        "Error": "info",
    }


def test_the_names_of_both_styles() -> None:
    assert names.in_out_key("fr.x", names.ACK) == "fr.x.out.ack"
    assert names.in_out_inbox("fr.x", names.ACK) == "fr.x.in.ack"
    assert names.flat_inbox("fr.x", names.INFO) == "fr.x.info"
    assert [names.shard_queue(n) for n in (0, 7, 42)] == ["dispatch.00", "dispatch.07", "dispatch.42"]


def test_the_rungs_are_named_after_their_rest() -> None:
    assert {rung.name: rung.ttl_ms for rung in names.RUNGS} == {
        "hub.retry.1s": 1_000,
        "hub.retry.10s": 10_000,
        "hub.retry.60s": 60_000,
    }
    assert [rung.ttl_ms for rung in names.RUNGS] == sorted(rung.ttl_ms for rung in names.RUNGS)


def test_every_hub_header_has_the_prefix_that_is_stripped_at_the_entrance() -> None:
    headers = [value for key, value in vars(names).items() if key.startswith("HEADER_")]
    assert len(headers) == len(set(headers)) >= 10
    assert all(header.startswith(names.HUB_HEADER_PREFIX) for header in headers)
