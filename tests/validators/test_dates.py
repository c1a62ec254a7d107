import re

import pytest

from validators.dates import STRICT, STRICT_WITHOUT_FRACTION, is_date_time, parse_date_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1969-12-31T18:30:00-05:30", 0.0),
        ("2024-02-29T23:59:59+01:00", 1709247599.0),
        ("2024-02-29t23:59:59.5z", 1709251199.5),
        ("2024-02-29T23:59:59.1234567899Z", 1709251199.123456),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("9999-12-31T23:59:59-23:59", 253402387139.0),
        ("2000-02-29T00:00:00-00:00", 951782400.0),
    ],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_date_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00Z",
        "20240101T000000Z",
        "2024-W01-1T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-10T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+01:60",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00+01",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00:00Z\n",
        " 2024-01-01T00:00:00Z",
        "٢٠٢٤-01-01T00:00:00Z",
        "2024-01-01T00:00:00+01:00" * 400,
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_date_time(text)
    assert "2024" not in str(refused.value)


@pytest.mark.parametrize("strict", [STRICT, STRICT_WITHOUT_FRACTION])
def test_the_expressions_of_the_accept_path_take_only_date_times_and_miss_only_29_february(strict: str) -> None:
    takes = re.compile(strict).search
    for year in ("0000", "0001", "1999", "2024"):
        for month in range(14):
            for day in range(34):
                text = f"{year}-{month:02}-{day:02}T08:15:30+01:00"
                expected = is_date_time(text) and (month, day) != (2, 29)
                assert (takes(text) is not None) == expected, text
    for clock in ("23:59:59+23:59", "24:00:00+01:00", "00:60:00+01:00", "00:00:60+01:00", "00:00:00+24:00", "0:00:00Z"):
        text = f"2024-01-31T{clock}"
        assert (takes(text) is not None) == is_date_time(text), text
    assert takes("2024-01-31T00:00:00+01:00\n") is None
