"""Three verdicts on the same messages: the reference library, the accept path, the slow path with its faults."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validators.generate import mutate, value_of
from tests.validators.reference import reference
from tests.validators.support import (
    accept,
    content_bytes,
    dumped,
    envelope_of,
    faults_of,
    header,
    own_message,
    pack,
    slow,
    wrapped,
)  # fmt: skip
from validators import Fault


def some_message(rnd: Random) -> Any:
    root, (headed, model) = rnd.choice(list(pack()._checks._use_cases.items()))
    body = value_of(model.node, rnd)
    whole = wrapped(root, body)
    if rnd.random() < 0.1:
        whole = own_message()
    elif rnd.random() < 0.05:
        whole = envelope_of({**header(), root: body, "technicalNoreq": {}})
    elif rnd.random() < 0.1:
        whole = envelope_of({**header(), root: body, "beside": 1}, beside=[1])
    if rnd.random() < 0.1:
        whole["content"] *= 2
    # Most mutations aim below the message, where the models are.
    for _ in range(rnd.choice([0, 0, 1, 1, 2, 3])):
        mutate(whole if rnd.random() < 0.3 else whole["content"] if "content" in whole else whole, rnd)
    return whole


def agree(whole: Any, seen: Counter[str]) -> None:
    expected = reference().is_valid(whole)
    seen["valid" if expected else "refused"] += 1
    faults = pack().check_message(dumped(whole))
    assert (faults == ()) == expected, faults
    assert all(fault.rule != "model" for fault in faults), "the verdict refused and no fault was found"
    if not isinstance(whole, dict) or "content" not in whole:
        return
    content = content_bytes(whole)
    accepted, judged = accept(content), slow(content)
    refused = any(isinstance(part, Fault) for part in judged)
    assert refused == bool(faults_of(content))
    if accepted is not None:
        assert judged == accepted, "the accept path took what the slow path refuses"
        seen["accept path"] += 1
    if expected:
        assert not refused
    if refused:
        assert set(judged) <= set(faults), "the faults of the content are among those of the message"


def test_reference_slow_path_and_accept_path_agree(scale: Callable[[int, int], int]) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=scale(1500, 60_000), deadline=None, database=None, derandomize=True)
    @given(st.integers(0, 2**64 - 1))
    def one(seed: int) -> None:
        agree(some_message(Random(seed)), seen)

    one()
    total = seen["valid"] + seen["refused"]
    assert min(seen["valid"], seen["refused"]) >= 0.2 * total, seen
    assert seen["accept path"] >= 0.1 * total, seen


def test_every_model_is_reached_with_both_verdicts() -> None:
    rnd = Random(7)
    for root, (_, model) in pack()._checks._use_cases.items():
        for _ in range(15):
            whole = wrapped(root, value_of(model.node, rnd))
            assert pack().check_message(dumped(whole)) == (), root
            assert pack().check(content_bytes(whole)) == (model.name,)
            agree(whole, Counter())
        broken = wrapped(root, [])
        assert pack().check_message(dumped(broken)) != ()
