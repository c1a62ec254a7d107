"""What a running hub shows of itself: one address of its own, and no secret anywhere."""

from pathlib import Path

from bench.procstat import tree
from tests.support.hub import A, Hub
from tests.support.listening import listeners

pytest_plugins = ("tests.support.acceptance",)


def processes(hub: Hub) -> list[int]:
    """The supervisor and its workers."""
    assert hub.process is not None
    found = [process.pid for process in tree(hub.process.pid)]
    assert len(found) >= 3
    return found


def test_the_pages_are_the_only_listener_and_on_their_own_address(hub: Hub) -> None:
    assert listeners(processes(hub)) == {("127.0.0.1", hub.http_port)}


def test_no_secret_is_on_a_command_line_in_a_log_or_on_a_page(hub: Hub) -> None:
    cluster = hub.cluster
    secrets = [cluster.admin_password, cluster.clients_password, cluster.router_password]
    assert all(len(secret) > 8 for secret in secrets)
    a = hub.party(A)
    a.receives(a.send(a.message(a)))
    shown = {
        f"/proc/{pid}/{name}": Path(f"/proc/{pid}/{name}").read_bytes()
        for pid in processes(hub)
        for name in ("cmdline", "environ")
    }
    shown |= {page: hub.get(page)[1].encode() for page in ("/metrics", "/livez", "/readyz", "/nothing")}
    shown |= {str(file): file.read_bytes() for file in (hub.log, hub.output, hub.config) if file.exists()}
    assert any(b"hubex" in text for text in shown.values())
    for where, text in shown.items():
        assert not [secret for secret in secrets if secret.encode() in text], where
    hub.quiet(a)
