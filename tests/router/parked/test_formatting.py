import pytest

from router.parked.formatting import HEADING, details, history, moment, row
from router.parked.message import Parked

PARKED = Parked(
    "0123456789ab", "v", "fr.health.a.out.message", "inbox_full", "fr.health.a_1", "1700000000000 nacked;", "client",
    1_700_000_000_000, 1_699_999_999_000, 3, 0, "application/json", 3312, "f" * 64,
)  # fmt: skip


def test_a_row_stands_under_its_heading() -> None:
    line = row(PARKED)
    under = {"ID": "0123456789ab", "REASON": "inbox_full", "KEY": "fr.health.a", "DISTR": "fr.health.a_1"}
    for name, value in under.items():
        assert line[HEADING.index(name) :].startswith(value)
    assert "2023-11-14 22:13:20Z" in line and " 3312 " in line


def test_others_cannot_forge_a_row() -> None:
    values = (getattr(PARKED, name) for name in PARKED.__struct_fields__[1:])  # the id is ours
    forged = Parked(PARKED.id, *("a\nb\x1b[2J" if isinstance(value, str) else value for value in values))
    assert "\n" not in row(forged) and "\x1b" not in row(forged)
    assert len(details(forged).splitlines()) == len(details(PARKED).splitlines())


def test_details_say_all_but_the_payload() -> None:
    text = details(PARKED)
    assert "history         2023-11-14 22:13:20Z nacked" in text
    assert "kept until      24 h after it was parked" in text
    assert "3312 bytes, SHA-256 fff" in text


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "?"), (-1, "?"), (10**18, "?"), (1_700_000_000_000, "2023-11-14 22:13:20Z")]
)
def test_moments(ms: int, text: str) -> None:
    assert moment(ms) == text


def test_a_history_of_another_shape_is_left_as_it_is() -> None:
    assert history("") == ""
    assert history("broken 12;1700000000000 x;34") == "broken 12; 2023-11-14 22:13:20Z x; 34"
