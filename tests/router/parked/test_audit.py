import json
import os
from pathlib import Path

import pytest

from router.parked.audit import Audit, AuditError
from router.parked.message import Parked

PARKED = Parked("abc", "v", "k", "r", "d_1", "h", "client", 1, 1, 0, 0, "t", 3, "f" * 64)


def test_a_line_for_each_action_appended(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    Audit(path, {"SUDO_USER": "jo"}).note("show --body", PARKED)
    Audit(path, {}).note("drop", PARKED)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["action"], line["sudo_user"]) for line in lines] == [("show --body", "jo"), ("drop", "")]
    assert lines[0] | {"at": "", "user": ""} == {
        "at": "", "user": "", "sudo_user": "jo", "action": "show --body", "vhost": "v", "id": "abc",
        "reference": "d_1", "key": "k", "reason": "r", "body_sha256": "f" * 64,
    }  # fmt: skip
    assert lines[0]["user"] and lines[0]["at"].endswith("Z")
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_down_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be written"):
        Audit(tmp_path / "missing" / "audit.log", {}).note("drop", PARKED)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the machine has no /dev/full")
def test_a_full_disk_is_told() -> None:
    with pytest.raises(AuditError, match="cannot be written"):
        Audit(Path("/dev/full"), {}).note("drop", PARKED)
