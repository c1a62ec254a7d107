"""The README's tables are those of the code, and its commands exist."""

import re

from router.observe.catalogue import readme_table
from router.settings.config import config_reference
from tests.conftest import TESTS

README = (TESTS.parent / "README.md").read_text(encoding="utf-8")


def test_every_configuration_key_is_listed_with_its_default() -> None:
    for key, default, meaning in config_reference():
        assert f"| `{key}` | `{default}` | {meaning} |" in README


def test_the_metrics_are_those_of_the_catalogue() -> None:
    assert readme_table().strip() in README


def test_every_command_that_it_names_exists() -> None:
    named = set(re.findall(r"(?:\./|`)hubex ([a-z]+)", README))
    rooms = {path.stem for path in (TESTS.parent / "router" / "cli").glob("*.py")}
    assert named <= rooms, named - rooms
