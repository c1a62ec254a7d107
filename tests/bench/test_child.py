"""Load processes: told their job whole, steered by words, never outliving their parent, and loud when they die."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.amqp import Address
from bench.child import LoadError, LoadProcess
from bench.hub import make_clients
from bench.job import SendJob, Target, inboxes_of, lines_of, mailboxes_of, ring
from bench.run import LoadRun
from bench.steering import FENCE, STOP, with_length

TARGET = Target(Address("127.0.0.1", 1, "v"), "", "", "")


def job(folder: Path, seed: int = 4, clients: int = 3) -> SendJob:
    pairs = ring(make_clients(clients))
    return SendJob(TARGET, lines_of(pairs), inboxes_of(mailboxes_of(pairs)), str(folder / "j"), seed, 1.0, {})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., LoadProcess]]:
    started: list[LoadProcess] = []

    def make(**options: Any) -> LoadProcess:
        started.append(LoadProcess("tests.bench.obedient", job(tmp_path, **options), tmp_path / "stderr"))
        return started[-1]

    yield make
    for process in started:
        process.end()


def until(test: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 15
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_gets_its_job_whatever_its_size_and_hears_words_behind_it(start: Callable[..., LoadProcess]) -> None:
    process = start(clients=500)
    until(lambda: process.counts["published"] == 4)
    assert process.counts["connected"] == 500
    process.say(FENCE)
    until(lambda: process.counts["fenced"])
    assert process.why == "still busy"
    process.say(STOP)
    assert process.wait_done(15) and process.done


def test_words_said_at_once_are_not_lost(start: Callable[..., LoadProcess]) -> None:
    process = start()
    process.say(STOP)
    assert process.wait_done(15)


def test_an_end_is_not_done(start: Callable[..., LoadProcess]) -> None:
    process = start()
    until(lambda: process.counts["published"])
    process.end()
    assert not process.done
    process.say(STOP)
    process.end()


def test_waiting_has_an_end(start: Callable[..., LoadProcess]) -> None:
    assert not start().wait_done(0.1)


def test_one_that_dies_says_why(start: Callable[..., LoadProcess]) -> None:
    process = start(seed=13)
    with pytest.raises(LoadError, match="tests.bench.obedient ended with 1: ValueError: an unlucky seed"):
        process.wait_done(15)


def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.obedient"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(with_length(msgspec.json.encode(job(tmp_path))))
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(15) == 0


def test_a_load_stays_on_loopback(tmp_path: Path) -> None:
    away = Target(Address("10.0.0.7", 5672, "v"), "", "", "")
    with pytest.raises(ValueError, match="not a loopback address"):
        LoadRun(away, ring(make_clients(2)), tmp_path)
