"""`hubex demo`: ten lines on evidence, nothing left of it, and it rises from any death."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import LocalCluster, processes
from router.client.demo import play as playing
from router.client.demo.log_tail import LogTail
from router.client.demo.play import SAMU, SDIS, StepMissing, play
from router.client.samples import RC_EDA, sample
from router.core.directory import Client, Format
from router.settings.config import load_config
from tests.support.hub import CHECKOUT, FENCE, HUBEX, Hub

SECONDS = 120
STEP = re.compile(r"^(?P<number>\d+)\s+\S.*?\s{2,}(?P<queue>\S+)\s+(≤ )?(?P<ms>\d+\.\d) ms  (?P<id>\S+)$", re.MULTILINE)
QUEUES = {
    1: rf"{SDIS}\.out\.message", 2: r"dispatch\.\d\d", 3: r"dispatch\.\d\d", 4: rf"{SAMU}\.in\.message",
    5: rf"{SAMU}\.in\.message", 6: rf"{SAMU}\.out\.ack", 7: r"dispatch\.\d\d", 8: r"dispatch\.\d\d",
    9: rf"{SDIS}\.in\.ack", 10: rf"{SDIS}\.in\.ack",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("démo, deux")
    yield root
    for found in left_of(root):
        processes.send(found, str(root / "demo" / "hub"), signal.SIGKILL)
    LocalCluster.open(root, "demo").destroy()


def left_of(root: Path) -> list[processes.Process]:
    """Processes of the demo's hub and of its broker."""
    folder = root.resolve() / "demo"
    return [*processes.find(f"{folder}/hub"), *processes.find(str(folder))]


def demo(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HUBEX, "demo", "--root", str(root), *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def ten_steps(text: str) -> None:
    steps = list(STEP.finditer(text))
    assert [int(step["number"]) for step in steps] == list(range(1, 11)), text
    for step in steps:
        assert re.fullmatch(QUEUES[int(step["number"])], step["queue"]), step[0]
        assert float(step["ms"]) < 10_000
    message, answer = {step["id"] for step in steps[:5]}, {step["id"] for step in steps[5:]}
    assert len(message) == len(answer) == 1
    assert message.pop().startswith(f"{SDIS}_") and answer.pop().startswith(f"{SAMU}_")


def test_once_plays_ten_steps_beside_another_hub_and_leaves_nothing(cluster: LocalCluster, root: Path) -> None:
    pids = cluster.pids()
    done = demo(root, "--once")
    assert done.returncode == 0, done
    assert done.stderr == ""
    ten_steps(done.stdout)
    assert left_of(root) == []
    assert cluster.pids() == pids and cluster.status().serving


def test_it_stays_up_is_killed_and_comes_again(root: Path) -> None:
    config = root.resolve() / "demo" / "hubex.toml"
    with started(root) as running:
        said = until(running, "Ctrl-C")
        ten_steps(said)
        assert f"recv --as {SAMU} --ack --config '{config}'" in said
        second = demo(root, "--once")
        assert second.returncode == 2 and "another demo is running" in second.stderr
        # A message of one's own, as it says.
        message = str(root / "demo" / "message.json")
        sent = hubex("send", message, "--as", SDIS, "--to", SAMU, "--fresh", "--config", str(config))
        assert sent.returncode == 0, sent
        got = hubex("recv", "--as", SAMU, "--ack", "--count", "1", "--timeout", "20", "--config", str(config))
        assert sent.stdout.split()[1] in got.stdout and "acknowledged to" in got.stdout
    assert {found.program for found in left_of(root)} >= {"beam.smp", "epmd"}  # killed, it could end nothing
    # What is left of it is ended first; the acknowledgement that nobody has read is told.
    done = demo(root, "--once")
    assert done.returncode == 0, done
    ten_steps(done.stdout)
    assert f"{SDIS}.in.ack" in done.stdout and "left from before" in done.stdout
    assert left_of(root) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it(root: Path, number: signal.Signals) -> None:
    with started(root) as running:
        until(running, "Ctrl-C")
        running.send_signal(number)
        _, said = running.communicate(timeout=SECONDS)
    assert (running.returncode, said) == (0, "")
    assert left_of(root) == []


def test_a_signal_while_it_is_being_set_up_ends_all_of_it(root: Path) -> None:
    with started(root) as running:
        until(running, "the private broker starts")
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=SECONDS)
    assert (running.returncode, said) == (130, "")
    assert left_of(root) == []


def test_a_missing_step_is_told_and_ends_the_play(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [Client(each, format=Format.JSON, test=True) for each in (SDIS, SAMU)]
    monkeypatch.setattr(playing, "LATE_SECONDS", 1.0)
    shown: list[str] = []
    with Hub(cluster, tmp_path, [*clients, Client(FENCE)], vhost="demo-missing") as hub:
        hub.apply()
        config = load_config(hub.config, {})
        with pytest.raises(StepMissing) as missing:  # nobody dispatches
            asyncio.run(play(config, sample(RC_EDA), LogTail(hub.log), shown.append))
        assert missing.value.number == 2
        assert [line[0] for line in shown] == ["1"]
        # A hub that does not take the message: told at the step that it refuses.
        hub.start()
        body = sample(RC_EDA).replace(b'"caseId"', b'"casId"')
        shown.clear()
        with pytest.raises(StepMissing, match="refused it .300 INVALID_MESSAGE") as missing:
            asyncio.run(play(config, body, LogTail(hub.log), shown.append))
        assert missing.value.number == 4


@contextmanager
def started(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that stays up; killed at the end, if it still is."""
    running = subprocess.Popen(
        [*HUBEX, "demo", "--root", str(root)],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def until(running: subprocess.Popen[str], word: str) -> str:
    """What it says up to a line with this word."""
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended: {said} {running.stderr.read() if running.stderr else ''}")


def hubex(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HUBEX, *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
