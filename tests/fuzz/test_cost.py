"""No message costs more than 250 ms of CPU, whatever is in it, and each gets its verdict all the same."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import schemas
from router.core import outputs
from router.core.decide import decide
from router.core.decisions import Decision, Forward, Refuse
from router.core.directory import Client
from router.process.worker import YOUNG_OBJECTS
from tests.router.core.making import SAMU, SAMU2, XML, delivery, pack, rules
from tests.support.bombs import TAKEN, Bomb, Room, bombs
from validators import load_pack
from validators.limits import MAX_VALUES, is_crowded_json, is_crowded_xml
from validators.linear import LinearPattern
from validators.nodes import Array, Node, Object, Text

LIMIT_SECONDS = 0.25
TRIES = 10
"""A neighbour on the same core makes one try slow; none makes all."""
MAX_BYTES = 1024 * 1024
PACKS = Path(schemas.__path__[0])
RULES = rules(max_message_bytes=MAX_BYTES)


@pytest.fixture(autouse=True)
def _as_in_a_worker() -> Iterator[None]:
    """What is loaded is out of the collector's sight, as `router.process.worker` has it."""
    RULES.pack.compile()
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS)
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


def decided(bomb: Bomb, sender: Client) -> tuple[Decision, float]:
    """The decision, and the CPU seconds of the best try, its outputs included."""
    given = delivery(bomb.body, sender.publish_keys[0], content_type=f"application/{bomb.form}")
    best = float("inf")
    for _ in range(TRIES):
        now, begun = time.time(), time.process_time()
        decision = decide(given, RULES, now)
        if isinstance(decision, Refuse):
            outputs.refusal(given, decision, RULES.pack, now)
        elif isinstance(decision, Forward):
            outputs.forward(given, decision, now)
        best = min(best, time.process_time() - begun)
        if best < LIMIT_SECONDS / 4:
            break
    return decision, best


@pytest.mark.parametrize(
    ("values", "recipient"), ((0, SAMU2), (MAX_VALUES, XML)), ids=("dense", "as many values as may be, to XML")
)
def test_no_message_costs_more_than_its_share(values: int, recipient: Client) -> None:
    costs: list[tuple[float, str]] = []
    wrong: list[str] = []
    for bomb in bombs(SAMU.id, recipient.id, pack(), Room(MAX_BYTES, values)):
        crowded = (is_crowded_json if bomb.form == "json" else is_crowded_xml)(bomb.body)
        assert not (crowded and values and bomb.code == TAKEN), bomb.name
        decision, cost = decided(bomb, SAMU)
        costs.append((cost, f"{bomb.form}: {bomb.name}"))
        assert isinstance(decision, Forward | Refuse)
        code = int(decision.code) if isinstance(decision, Refuse) else TAKEN
        wanted = {300} if crowded else {bomb.code}
        # What XML cannot carry, or makes too large.
        converted = {600} if bomb.code == TAKEN and recipient is XML or "carriage" in bomb.name else set()
        if code not in wanted | converted or (
            crowded and isinstance(decision, Refuse) and str(MAX_VALUES) not in decision.cause
        ):
            wrong.append(f"{bomb.form}: {bomb.name}: {code}")
    costs.sort(reverse=True)
    print("\n".join(f"{cost * 1000:6.0f} ms  {name}" for cost, name in costs[:5]))
    assert wrong == []
    assert costs[0][0] < LIMIT_SECONDS, costs[:5]


def test_a_refusal_names_the_first_faults_and_says_that_there_are_more() -> None:
    named = {"alerts without anything", "numbers for texts", "right classes, each with an attribute", "unknown fields"}
    for bomb in bombs(SAMU.id, SAMU2.id, pack(), Room(MAX_BYTES // 8, MAX_VALUES)):
        if bomb.name in named:
            named.remove(bomb.name)
            decision, _ = decided(bomb, SAMU)
            assert isinstance(decision, Refuse)
            assert "$.content[0]" in decision.cause and "Further faults not listed: " in decision.cause
            assert len(decision.cause) < 10_000
    assert not named


def _patterns(node: Node, found: dict[str, LinearPattern], seen: set[int]) -> None:
    if isinstance(node, Text) and node.matcher is not None:
        found[node.pattern or ""] = node.matcher
    elif isinstance(node, Array):
        _patterns(node.items, found, seen)
    elif isinstance(node, Object) and id(node) not in seen:
        seen.add(id(node))
        for inner in node.fields.values():
            _patterns(inner, found, seen)


PIECES = ("a", "a.", "0", "fr.a", "2024-01-01T", "a@a.", "a.a.a.a.patient.", "+33")
TEXT_CHARACTERS = 64 * 1024
"""A sixteenth of the longest text there is. It takes 4 to 8 ms in linear time; with backtracking, minutes."""


def test_no_pattern_of_any_pack_backtracks() -> None:
    found: dict[str, LinearPattern] = {}
    for name in ("v1", "v2", "v3"):
        envelope, header, cases = load_pack(PACKS / name)._checks.classes()
        for root in (envelope, header, *cases.values()):
            _patterns(root, found, set())
    assert len(found) > 30
    texts = [(piece * (TEXT_CHARACTERS // len(piece)))[:-1] + "!" for piece in PIECES]
    texts.append("".join(chr(0x4E00 + at % 20_000) for at in range(TEXT_CHARACTERS // 3)))  # three bytes each
    worst = max(_seconds(matcher, text) for matcher in found.values() for text in texts)
    print(f"{worst * 1000:.0f} ms")
    assert worst < LIMIT_SECONDS / 4


def _seconds(matcher: LinearPattern, text: str) -> float:
    best = float("inf")
    for _ in range(TRIES):
        begun = time.process_time()
        matcher.search(text)
        best = min(best, time.process_time() - begun)
        if best < LIMIT_SECONDS / 4 * TEXT_CHARACTERS / MAX_BYTES:
            break
    return best


def test_what_is_remembered_of_a_date_is_short() -> None:
    """A fraction without end may not stay in the worker's memory."""
    from validators.dates import _correction, parse_date_time

    _correction.cache_clear()
    for length in (100_000, 100_001):
        assert parse_date_time("2024-03-12T08:11:02." + "5" * length + "+01:00") == 1710227462.555555
    assert _correction.cache_info().currsize == 1
