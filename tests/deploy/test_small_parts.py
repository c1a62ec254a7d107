"""The pieces of the local cluster that need no broker."""

import os
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.local import BrokerNotFound, LocalCluster, broker_command, processes
from deploy.local.layout import Layout
from deploy.local.ports import BLOCK, free_base_port, taken
from deploy.local.settings_file import settings_toml


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.1", "::1", "localhost"])
def test_only_ipv4_loopback(address: str) -> None:
    with pytest.raises(ValueError):
        Layout((address,))


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b"])
def test_a_name_is_a_folder_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        LocalCluster(tmp_path, base_port=20_000, name=name)


def test_a_port_block_with_one_port_taken_is_not_free() -> None:
    base = free_base_port("127.0.0.1")
    with socket.create_server(("127.0.0.1", base + BLOCK - 1)):
        assert taken("127.0.0.1", base + BLOCK - 1)
        assert free_base_port("127.0.0.1", preferred=base) != base
    assert free_base_port("127.0.0.1", preferred=base) == base


@pytest.mark.parametrize(
    "variable, command",
    [
        ("/opt/rabbitmq/sbin", ["/opt/rabbitmq/sbin/rabbitmqctl"]),
        ("chroot /srv/r4 '/opt/rabbit mq/sbin/'", ["chroot", "/srv/r4", "/opt/rabbit mq/sbin/rabbitmqctl"]),
    ],
)
def test_another_rabbitmq_by_variable(variable: str, command: list[str]) -> None:
    assert broker_command.broker_command("rabbitmqctl", {"HUBEX_RABBITMQ": variable}) == command


def test_no_rabbitmq_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_command, "FOLDERS", ())
    with pytest.raises(BrokerNotFound, match="rabbitmq-server"):
        broker_command.broker_command("rabbitmq-server", {})


def test_the_wrapper_that_changes_user_is_never_used() -> None:
    assert not any(folder.startswith("/usr/sbin") for folder in broker_command.FOLDERS)


def test_settings_read_back_as_they_were() -> None:
    table = {
        "vhosts": [{"name": 'é"\\\n', "pack": "v3"}],
        "log": {"target": "-", "number": 1.5, "yes": True, "list": ["a", "b"]},
    }
    assert tomllib.loads(settings_toml(table)) == table
    assert tomllib.loads(settings_toml({"log": {"path": Path("/x")}})) == {"log": {"path": "/x"}}


def test_a_process_with_another_tag_or_start_is_not_signalled() -> None:
    tag = f"test of {os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={processes.TAG: tag, processes.ROLE: "r"}
    ) as child:
        (found,) = processes.find(tag)
        assert (found.pid, found.role) == (child.pid, "r")
        later = processes.Process(found.started + 1, found.pid, found.program, found.role)
        processes.send(later, tag, signal.SIGKILL)
        processes.send(found, tag + "x", signal.SIGKILL)
        assert processes.find(tag) == [found]
        assert not processes.wait_gone([found], tag, 0.1)
        processes.send(found, tag, signal.SIGKILL)
        assert processes.wait_gone([found], tag, 10)
        processes.send(found, tag, signal.SIGKILL)
