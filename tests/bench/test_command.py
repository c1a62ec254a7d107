"""`hubex bench run` refuses what it cannot do, in one line."""

import subprocess
import sys

import pytest

HUBEX = (sys.executable, "-c", "from router.cli.app import main; main()", "bench", "run")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--prefill", "--rate", "100"], "hubex: bench run: a drain has no --rate and no --seconds"),
        (["--seconds", "5", "--messages", "1000"], "hubex: bench run: give --seconds or a number of messages"),
        (["--xml-share", "0.5", "--against", "shovel"], "hubex: bench run: only the router refuses and converts"),
        (["--prefill", "--against", "me"], "hubex: bench run: --against is one of shovel, shovel-tcp, both, none"),
        (["--prefill", "--mix", "nothing=x"], "hubex: bench run: a mix is one of rc-eda, first, all or sample=weight"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_exit_2(arguments: list[str], expected: str) -> None:
    done = subprocess.run([*HUBEX, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(expected) and done.stderr.count("\n") == 1
