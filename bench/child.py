"""A load process as its parent sees it: started, steered by words, watched by what it tells."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bench.job import ForwardJob, ReadJob, SendJob
from bench.steering import END, with_length

END_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05


class LoadError(Exception):
    """The load itself did not work: the run says nothing about the hub. One line."""


def wait_quietly(test: Callable[[], bool], seconds: float, every_seconds: float = POLL_SECONDS) -> bool:
    """Whether `test` came true in time."""
    deadline = time.monotonic() + seconds
    while not test():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True


class LoadProcess:
    """`python -m <module>` with a job. Its standard error goes to `errors_file`."""

    def __init__(self, module: str, job: SendJob | ReadJob | ForwardJob, errors_file: Path) -> None:
        self._name = module
        self._errors = errors_file
        self.counts: Counter[str] = Counter()
        """What it counted, as it told last."""
        self.why = ""
        """Why one of its clients is not connected; "" when all are."""
        self.done = False
        """It ended by itself with everything finished."""
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        assert self._process.stdin is not None
        self._process.stdin.write(with_length(msgspec.json.encode(job)))
        self._process.stdin.flush()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            state = msgspec.json.decode(line, type=dict[str, int | bool | str])
            self.why, self.done = str(state.pop("why")), bool(state.pop("done"))
            self.counts = Counter({name: int(value) for name, value in state.items()})

    def say(self, word: str) -> None:
        """Steer it. A process that has ended hears nothing."""
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        try:
            self._process.stdin.write(word.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def check(self) -> None:
        """Raises LoadError when it died."""
        code = self._process.poll()
        if code is not None and code != 0:
            lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LoadError(f"{self._name} ended with {code}: {lines[-1] if lines else 'it said nothing'}")

    def wait_done(self, seconds: float) -> bool:
        """True when it ended by itself with everything finished. Raises LoadError when it died."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if self._process.poll() == 0:
                self._listener.join(END_SECONDS)
                return self.done
            time.sleep(POLL_SECONDS)
        return False

    def end(self) -> None:
        """Have it end now; killed when it does not. Its journal is complete unless it was killed. May be repeated."""
        self.say(END)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(END_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
