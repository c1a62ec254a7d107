"""The audit of the locked packages fails for a vulnerability, and for nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit_verdict.py"
CLEAN = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["2.1"]}]}


def verdict(folder: Path, found: str, said: str = "") -> tuple[int, str]:
    (folder / "found").write_text(found)
    (folder / "said").write_text(said)
    command = [sys.executable, str(SCRIPT), str(folder / "found"), str(folder / "said")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("packages", "code", "line"),
    (
        ([CLEAN], 0, "1 of 1 locked packages audited"),
        ([CLEAN, UNKNOWN], 0, "does not know the others"),
        ([UNKNOWN], 0, "0 of 1 locked packages audited"),
        ([CLEAN, BAD], 1, "c 2: X-1, mended in 2.1"),
    ),
)
def test_a_vulnerability_fails(tmp_path: Path, packages: list[dict[str, object]], code: int, line: str) -> None:
    returned, said = verdict(tmp_path, json.dumps({"dependencies": packages, "fixes": []}))
    assert returned == code and line in said


@pytest.mark.parametrize("found", ("", "{", "null"))
def test_a_service_out_of_reach_does_not(tmp_path: Path, found: str) -> None:
    returned, said = verdict(tmp_path, found, "a\nConnectionError: no route")
    assert returned == 0 and "nothing was audited (ConnectionError: no route)" in said
