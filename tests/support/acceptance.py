"""A plugin: the hub that the acceptance tests of a module share (`pytest_plugins = ("tests.support.acceptance",)`)."""

from collections.abc import Iterator

import pytest

from deploy.local import LocalCluster
from tests.support.hub import Hub


@pytest.fixture(scope="module")
def running_hub(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub with two workers for all tests of a module. At its end: a clean drain, every input settled, nothing
    redelivered, no bug, no warning."""
    with Hub(cluster, tmp_path_factory.mktemp("hub"), vhost="acceptance") as hub:
        hub.apply()
        hub.start()
        yield hub
        assert hub.stop() == 0, hub.tail()
        assert hub.waiting() == {}, hub.tail()
        assert hub.clear() == {}
        assert hub.events("received", redelivered=True) == []
        assert [line for line in hub.events("notice") if line.get("level", "info") != "info"] == []
        hub.remove()


@pytest.fixture
def hub(running_hub: Hub) -> Iterator[Hub]:
    """The module's hub. A test leaves no inbox with anything in it; what the hub logged meanwhile is shown when the
    test fails."""
    before = running_hub.log.stat().st_size if running_hub.log.exists() else 0
    yield running_hub
    print(running_hub.tail(before))
    left = running_hub.clear()
    assert left == {}, "the test left messages in the inboxes"
