"""The window of ids: what came before within ten minutes and ten thousand ids of a client, and bounded memory."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import duplicates
from router.core.duplicates import WINDOW_IDS, WINDOW_SECONDS, DuplicateWindow


def held_ids(window: DuplicateWindow) -> int:
    return sum(len(order) for _, order in window._clients.values())


def test_a_repeat_within_the_window_is_seen_and_a_first_arrival_is_not() -> None:
    window = DuplicateWindow()
    assert not window.repeated("a", "id-1", 0.0)
    assert not window.repeated("a", "id-2", 0.0)
    assert window.repeated("a", "id-1", 1.0)
    assert window.repeated("a", "id-1", WINDOW_SECONDS)


def test_an_id_of_another_client_is_another_id() -> None:
    window = DuplicateWindow()
    assert not window.repeated("a", "id-1", 0.0)
    assert not window.repeated("b", "id-1", 0.0)


def test_ten_minutes_after_its_last_arrival_an_id_is_forgotten() -> None:
    window = DuplicateWindow()
    window.repeated("a", "id-1", 0.0)
    assert window.repeated("a", "id-1", WINDOW_SECONDS - 1)  # seen again: remembered from here on
    assert window.repeated("a", "id-1", 2 * WINDOW_SECONDS - 2)
    assert not window.repeated("a", "id-1", 4 * WINDOW_SECONDS)


def test_ten_thousand_ids_later_an_id_is_forgotten() -> None:
    """The newcomer is one of the ten thousand."""
    window = DuplicateWindow()
    window.repeated("a", "first", 0.0)
    for number in range(WINDOW_IDS - 2):
        assert not window.repeated("a", f"id-{number}", 0.0)
    assert window.repeated("a", "first", 0.0)
    for number in range(WINDOW_IDS):
        window.repeated("a", f"other-{number}", 0.0)
    assert not window.repeated("a", "first", 0.0)


def test_memory_is_bounded_by_ids_a_client() -> None:
    window = DuplicateWindow()
    for number in range(3 * WINDOW_IDS):
        window.repeated("flood", f"id-{number}", 0.0)
        window.repeated("echo", "the same", 0.0)
    assert held_ids(window) == 2 * WINDOW_IDS
    assert [len(seen) for seen, _ in window._clients.values()] == [WINDOW_IDS, 1]


def test_idle_clients_are_forgotten_and_busy_ones_are_not() -> None:
    window = DuplicateWindow()
    window.repeated("idle", "id", 0.0)
    window.repeated("busy", "id", WINDOW_SECONDS)
    window.forget_idle(WINDOW_SECONDS + 1)
    assert held_ids(window) == 1
    assert window.repeated("busy", "id", WINDOW_SECONDS + 1)
    assert not window.repeated("idle", "id", WINDOW_SECONDS + 1)


arrivals = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.sampled_from((0.0, 0.0, 1.0, 200.0, 601.0))), max_size=60
)


@given(arrivals)
def test_it_is_the_naive_window(sent: list[tuple[str, int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "WINDOW_IDS", 5)
        window, now = DuplicateWindow(), 0.0
        naive: dict[str, deque[tuple[str, float]]] = {name: deque(maxlen=5) for name in "ab"}
        for client, number, step in sent:
            now += step
            if step > 500:
                window.forget_idle(now)
            last = list(naive[client])
            # The newcomer takes the place of the oldest.
            inside = {name for name, when in last[-4:] if when >= now - WINDOW_SECONDS}
            assert window.repeated(client, str(number), now) is (str(number) in inside)
            naive[client].append((str(number), now))
