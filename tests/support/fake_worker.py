"""A worker without a broker, as bad as FAKE_WORKER says, for the tests of the supervisor.

Every fact goes as one line "<index> <pid> <word>" to the file FAKE_JOURNAL.
"""

import argparse
import asyncio
import os
import signal
import sys
import time

from router.observe.metrics import Counts, name_metric_files
from router.process.heartbeat import AFTER_CRASH_VARIABLE, SupervisorLink, supervised_workers

BEAT_SECONDS = 0.1


def note(index: int, word: str) -> None:
    fd = os.open(os.environ["FAKE_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{index} {os.getpid()} {word}\n".encode())
    os.close(fd)


async def live(index: int, behaviour: str) -> int:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()
    link = SupervisorLink.from_environment(os.environ)

    def end(word: str) -> None:
        note(index, word)
        if behaviour != "stubborn" and not done.done():
            done.set_result(4 if behaviour == "bad_end" else 0)

    terms = 0

    def terminated() -> None:
        nonlocal terms
        terms += 1
        note(index, f"term{terms}")
        if behaviour != "slow" or terms == 2:
            end("ends")

    loop.add_signal_handler(signal.SIGTERM, terminated)
    loop.add_signal_handler(signal.SIGHUP, note, index, "hup")
    link.start(lambda: end("orphan"), beat_seconds=BEAT_SECONDS)
    counts = Counts()
    counts.cell("hubex_messages_received_total", "v").n += index + 1
    counts.cell("hubex_unsettled_inputs", "v").n = 10 * (index + 1)
    counts.latency("hubex_delivery_seconds", "v").observe(0.003)
    counts.flush(0.0, force=True)
    if behaviour == "unready":
        link.ready(False, "vhost v: no connection")
    else:
        link.ready(True)
    note(index, f"workers={supervised_workers(os.environ)}")
    if behaviour == "hangs":
        loop.call_later(0.3, time.sleep, 1000)
    if behaviour == "dies":
        loop.call_later(0.3, os.kill, os.getpid(), signal.SIGKILL)
    code = await done
    link.close()
    return code


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=int)
    parser.add_argument("--config")
    options = parser.parse_args()
    # FAKE_WORKER is one behaviour for all, or one a worker, separated by commas.
    behaviours = os.environ["FAKE_WORKER"].split(",")
    behaviour = behaviours[options.index % len(behaviours)]
    note(options.index, "born after a crash" if AFTER_CRASH_VARIABLE in os.environ else "born")
    name_metric_files(options.index)
    if behaviour == "crashes":
        return 3
    if behaviour == "silent":
        time.sleep(1000)
    return asyncio.run(live(options.index, behaviour))


if __name__ == "__main__":
    sys.exit(main())
