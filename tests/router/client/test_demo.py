import asyncio
import json
from pathlib import Path

import pytest

from deploy.local import processes
from router.client.demo.log_tail import LogTail
from router.client.demo.play import StepMissing, step_line
from router.client.demo.stage import hub_environment

TAKEN = frozenset({"received"})


def found(log: LogTail, identifier: str, seconds: float = 0.2) -> str:
    async def look() -> str:
        async with asyncio.timeout(seconds):
            return (await log.find(identifier, TAKEN)).queue

    return asyncio.run(look())


def line(identifier: str, event: str = "received", queue: str = "dispatch.01") -> str:
    line = {"event": event, "at": "2026-01-01T00:00:00Z", "distribution_id": identifier, "queue": queue, "other": 1}
    return json.dumps(line) + "\n"


def test_the_log_is_read_from_its_present_end_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line("a", queue="old"))
    log = LogTail(path)
    with pytest.raises(TimeoutError):
        found(log, "a")
    with path.open("a") as file:
        file.write(line("a", "forwarded") + line("b") + line("a", queue="new"))
    assert found(log, "a") == "new"


def test_the_log_may_not_be_there_yet_and_lines_come_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogTail(path)
    with pytest.raises(TimeoutError):
        found(log, "a")
    whole = line("a")
    path.write_text("not JSON\n" + whole[:20])
    with pytest.raises(TimeoutError):
        found(log, "a")
    with path.open("a") as file:
        file.write(whole[20:])
    assert found(log, "a") == "dispatch.01"


@pytest.mark.parametrize("number", range(1, 11))
def test_a_step_begins_with_its_number(number: int) -> None:
    text = step_line(number, "a.queue", "1.0 ms", "id\n11 forged")
    assert text.split()[0] == str(number) and text.startswith(str(number)) and "\n" not in text
    assert "a.queue" in text and "1.0 ms" in text


def test_a_missing_step_is_one_line_that_names_it() -> None:
    text = str(StepMissing(7, "nothing came"))
    assert text.startswith("step 7 is missing") and "nothing came" in text and "\n" not in text


def test_the_demos_hub_takes_no_settings_from_the_shell() -> None:
    environment = hub_environment({"PATH": "/bin", "HUBEX_BROKER__PORT": "1", "HUBEX_CONFIG": "x"}, "tag")
    assert environment == {"PATH": "/bin", processes.TAG: "tag"}
