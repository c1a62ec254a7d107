"""`hubex bench` refuses what it cannot do, in one line."""

import subprocess
import sys

import pytest

HUBEX = (sys.executable, "-c", "from router.cli.app import main; main()", "bench")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--prefill", "--rate", "100"], "hubex: bench run: a drain has no --rate and no --seconds"),
        (["run", "--seconds", "5", "--messages", "1000"], "hubex: bench run: give --seconds or a number of messages"),
        (
            ["run", "--xml-share", "0.5", "--against", "shovel"],
            "hubex: bench run: only the router refuses and converts",
        ),
        (
            ["run", "--prefill", "--against", "me"],
            "hubex: bench run: --against is one of shovel, shovel-tcp, both, none",
        ),
        (
            ["run", "--prefill", "--mix", "nothing=x"],
            "hubex: bench run: a mix is one of rc-eda, first, all or sample=weight",
        ),
        (["compare", "--forwarders", "null,me"], "hubex: bench compare: there is no me; there are router, shovel"),
        (["sweep", "--prefetch", "64,x"], "hubex: bench sweep: --prefetch is a list of numbers from 1 to 2000"),
        (["sweep", "--workers", "0"], "hubex: bench sweep: --workers is a list of numbers from 1 to 64"),
        (["compare", "--mix", "nothing=x"], "hubex: bench compare: a mix is one of"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_exit_2(arguments: list[str], expected: str) -> None:
    done = subprocess.run([*HUBEX, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(expected) and done.stderr.count("\n") == 1
