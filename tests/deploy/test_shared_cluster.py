"""The broker that the whole suite shares."""

import json
import os
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

from deploy.local import LocalCluster
from router.settings.config import load_config


def _get(cluster: LocalCluster, path: str) -> list[dict[str, Any]]:
    credentials = b64encode(f"{cluster.admin_user}:{cluster.admin_password}".encode()).decode()
    request = urllib.request.Request(cluster.management_url + path, headers={"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        found: list[dict[str, Any]] = json.load(response)
        return found


def test_it_serves_and_up_changes_nothing(cluster: LocalCluster) -> None:
    before = cluster.status()
    cluster.up()
    assert before.serving
    assert cluster.status() == before


def test_it_has_its_two_users_no_guest_and_no_default_vhost(cluster: LocalCluster) -> None:
    users = {user["name"]: user["tags"] for user in _get(cluster, "/api/users")}
    assert (users["hubex-admin"], users["hubex-router"]) == (["administrator"], [])
    assert "guest" not in users
    vhosts = [vhost["name"] for vhost in _get(cluster, "/api/vhosts")]
    assert "/" not in vhosts


def test_what_it_needs_is_enabled(cluster: LocalCluster) -> None:
    plugins = set(cluster.ctl("list", "--enabled", "--minimal", "--silent", tool="rabbitmq-plugins").split())
    assert {"rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_shovel"} <= plugins


def test_secrets_are_its_owners_alone_and_on_no_command_line(cluster: LocalCluster) -> None:
    secrets = [cluster.admin_password, cluster.router_password, cluster.clients_password]
    cookie = cluster.folder / "home" / ".erlang.cookie"
    for file in (cookie, *(cluster.folder / "secrets").iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file
    shown = b"".join(
        Path(f"/proc/{pid}/{what}").read_bytes() for pid in cluster.pids() for what in ("cmdline", "environ")
    )
    for secret in [*secrets, cookie.read_text()]:
        assert len(secret) >= 32
        assert secret.encode() not in shown
    assert len(set(secrets)) == len(secrets)


def test_the_configuration_that_it_writes_is_valid_and_fits(cluster: LocalCluster, tmp_path: Path) -> None:
    path = cluster.write_config(
        tmp_path / "deep" / "hubex.toml",
        workers={"count": 2},
        broker={"heartbeat_seconds": 5},
        vhosts=[{"name": 'a "quoted" é', "pack": "v3"}, {"name": "b", "pack": "v3"}],
    )
    config = load_config(path, {})
    assert (config.broker.host, config.broker.port) == ("127.0.0.1", cluster.amqp_port)
    assert config.broker.secret() == cluster.router_password
    assert config.broker.heartbeat_seconds == 5
    assert config.management.url == cluster.management_url
    assert config.management.secret() == cluster.admin_password
    assert config.directory.clients_password() == cluster.clients_password
    assert config.directory.file == tmp_path / "deep" / "clients.toml"
    assert config.workers.count == 2
    assert [vhost.name for vhost in config.vhosts] == ['a "quoted" é', "b"]


def test_its_processes_outlive_whoever_started_them(cluster: LocalCluster) -> None:
    for pid in cluster.status().pids.values():
        assert os.getsid(pid) == pid != os.getsid(0)
