"""What a message looks like when its inbox is taken away from under it."""

from typing import Any

import pytest
from pamqp.commands import Basic

from router.core import names
from router.topology.parking import parked_properties

NOW = 1_700_000_000.0
NOW_MS = int(NOW * 1000)
DAY_MS = 86_400_000


def parked(headers: dict[str, Any] | None = None, **properties: Any) -> Basic.Properties:
    return parked_properties(Basic.Properties(headers=headers, **properties), "a.in.message", "ref", NOW)


def test_the_clients_properties_stay_and_the_brokers_go() -> None:
    result = parked(
        {"mine": 1.5, "x-death": [{"count": 1}], "x-first-death-queue": "q", "x-delivery-count": 3, "CC": ["x"]},
        content_type="application/json",
        correlation_id="c",
        message_id="m",
        app_id="a",
        user_id="someone",
        delivery_mode=1,
    )
    assert result.headers is not None and result.headers["mine"] == 1.5
    assert not {"x-death", "x-first-death-queue", "x-delivery-count", "CC"} & set(result.headers)
    assert (result.content_type, result.correlation_id, result.message_id, result.app_id) == (
        "application/json",
        "c",
        "m",
        "a",
    )
    assert result.user_id is None and result.delivery_mode == 2


def test_the_hubs_headers_say_why_and_whose() -> None:
    result = parked(
        {names.HEADER_KEY: "k", names.HEADER_POSSIBLE_DUPLICATE: True, names.HEADER_PUBLISH: 9, "x-hub-first-seen": 5}
    )
    assert result.headers == {
        names.HEADER_KEY: "k",
        names.HEADER_POSSIBLE_DUPLICATE: True,
        names.HEADER_FIRST_SEEN: 5,
        names.HEADER_ORIGIN: names.ORIGIN_CLIENT,
        names.HEADER_REASON: names.REASON_INBOX_REMOVED,
        names.HEADER_HISTORY: f"{NOW_MS} inbox_removed a.in.message;",
        names.HEADER_REFERENCE: "ref",
        names.HEADER_PARKED_AT: NOW_MS,
    }


@pytest.mark.parametrize(
    "expiration, age_ms, left_ms",
    [
        (None, 0, DAY_MS),
        (None, 1000, DAY_MS - 1000),
        (None, 2 * DAY_MS, 1),
        ("60000", 10_000, 50_000),
        ("60000", 60_000, 1),
        (str(3 * DAY_MS), 0, DAY_MS),
        (str(3 * DAY_MS), 1000, DAY_MS - 1000),
        ("soon", 0, DAY_MS),
        (None, -5000, DAY_MS),
    ],
)
def test_it_is_kept_until_its_own_end_and_never_longer_than_a_day(
    expiration: str | None, age_ms: int, left_ms: int
) -> None:
    result = parked({names.HEADER_FIRST_SEEN: NOW_MS - age_ms}, expiration=expiration)
    assert result.expiration == str(left_ms)


def test_without_hub_headers_its_day_begins_now() -> None:
    result = parked()
    assert result.expiration == str(DAY_MS)
    assert result.headers is not None and result.headers[names.HEADER_FIRST_SEEN] == NOW_MS
