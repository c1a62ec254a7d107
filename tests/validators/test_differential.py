"""Three verdicts on the same values: the reference library, the accept path, the slow path with its faults.

In the short form 2 000 cases of each model family (a model in all packs) and some hundred whole messages of each pack;
200 000 a family in the nightly one. No disagreement is allowed: what `validators/SEMANTICS.md` lists is JSON texts that
these generators do not write.
"""

import copy
from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.validators.generate import DATES, mutate, mutated, value_of
from tests.validators.published_strategy import strategy_of
from tests.validators.reference import reference
from tests.validators.support import PACKS, REFERENCE, accept, dumped, faults_of, own_bodies, pack, read, slow
from validators import Fault
from validators.checks import parse
from validators.manifest import UseCase

Scale = Callable[[int, int], int]

CASES = [(name, case) for name in PACKS for case in pack(name).manifest.use_cases]
FAMILIES = sorted({case.model for _, case in CASES})


def content_of(message: Any) -> list[Any]:
    return [{"jsonContent": {"embeddedJsonContent": {"message": message}}}]


@cache
def header(name: str) -> dict[str, Any]:
    """A valid header that the accept path takes too: no unknown field anywhere, no 29 February."""
    node = pack(name)._checks._header.node
    drawn = (value_of(node, Random(seed)) for seed in range(1_000))
    found: dict[str, Any] = next(value for value in drawn if "beside" not in str(value))
    return {**found, "sentAt": DATES[0]}


@cache
def samples(name: str, root: str) -> list[Any]:
    """Bodies that people wrote, ours and the published ones: all of them are v3's."""
    if name != "v3":
        return []
    bodies = [read(path) for path in sorted((REFERENCE / "samples" / "examples").rglob("*.json"))]
    return [body[root] for body in (own_bodies(), *bodies) if root in body]


# ---- one model -----------------------------------------------------------------------------------


def judge(name: str, case: UseCase, value: Any) -> str:
    """The one verdict of all on a use case's body: "accepted" (by the accept path), "valid" or "refused"."""
    text = dumped(value)
    expected = reference(name, case.file).is_valid(value)
    faults = pack(name).check_case(case.root, parse(text), "$")
    assert (faults == ()) == expected, faults
    assert all(fault.rule != "model" for fault in faults), "the verdict refused and no fault was found"
    message = {**(header(name) if case.header else {}), case.root: value}
    accepted = accept(dumped(content_of(message)), name)
    if accepted is None:
        return "valid" if expected else "refused"
    assert expected and accepted == (case.model,), "the accept path took what the reference refuses"
    return "accepted"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_means_the_same_to_all_three(family: str, scale: Scale) -> None:
    cases = [(name, case) for name, case in CASES if case.model == family]
    count = scale(2_000, 200_000) // len(cases)
    for name, case in cases:
        node = pack(name)._checks._use_cases[case.root][1].node
        bases = samples(name, case.root)
        seen: Counter[str] = Counter()
        for seed in range(count):
            rnd = Random(f"{name} {family} {seed}")
            base = copy.deepcopy(rnd.choice(bases)) if bases and rnd.random() < 0.3 else value_of(node, rnd)
            # Of an open class only the root can be wrong.
            value = mutated(base, rnd, rnd.choice((0, 0, 1, 1, 2, 3) if node.fields else (0, 2, 3, 4)))
            try:
                seen[judge(name, case, value)] += 1
            except AssertionError as error:
                raise AssertionError(f"{name} {case.model}, seed {seed}: {error}; {value!r}") from None
        assert seen["refused"] >= 0.2 * count, seen
        assert seen["valid"] + seen["accepted"] >= 0.2 * count, seen
        assert seen["accepted"] >= 0.1 * count or not node.fields, seen


@pytest.mark.parametrize("name", PACKS)
def test_what_the_schemas_alone_suggest(name: str, scale: Scale) -> None:
    """Values drawn from the schema files by hypothesis-jsonschema: no code of ours has a say in them."""
    count = scale(15, 3_000)
    for case in pack(name).manifest.use_cases:
        seen = suggested(name, case, count)
        assert seen["accepted"] + seen["valid"] > 0, (case.model, seen)


def suggested(name: str, case: UseCase, count: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    health = list(HealthCheck)

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=health)
    @given(strategy_of(name, case.file), st.integers(0, 2**32), st.integers(0, 2))
    def one(value: Any, seed: int, times: int) -> None:
        seen[judge(name, case, mutated(copy.deepcopy(value), Random(seed), times))] += 1

    one()
    return seen


# ---- whole messages ------------------------------------------------------------------------------


def some_message(name: str, rnd: Random) -> Any:
    checks = pack(name)._checks
    root, (headed, model) = rnd.choice(list(checks._use_cases.items()))
    body = value_of(model.node, rnd)
    message: dict[str, Any] = {**(header(name) if headed else {}), root: body}
    if rnd.random() < 0.05:
        message[rnd.choice(list(checks._use_cases))] = {}
    elif rnd.random() < 0.1:
        message["beside"] = 1
    whole = value_of(checks._envelope.node, rnd)
    whole["content"] = content_of(copy.deepcopy(message))
    if rnd.random() < 0.1:
        whole["content"][0]["jsonContent"]["embeddedJsonContent"]["beside"] = [1]
    if rnd.random() < 0.1:
        whole["content"] *= 2
    # Most mutations aim below the message, where the models are.
    for _ in range(rnd.choice([0, 0, 1, 1, 2, 3])):
        mutate(whole if rnd.random() < 0.3 else whole["content"] if "content" in whole else whole, rnd)
    return whole


def agree(name: str, whole: Any, seen: Counter[str]) -> None:
    expected = reference(name).is_valid(whole)
    seen["valid" if expected else "refused"] += 1
    faults = pack(name).check_message(dumped(whole))
    assert (faults == ()) == expected, faults
    assert all(fault.rule != "model" for fault in faults), "the verdict refused and no fault was found"
    if not isinstance(whole, dict) or "content" not in whole:
        return
    content = dumped(whole["content"])
    accepted, judged = accept(content, name), slow(content, name)
    refused = any(isinstance(part, Fault) for part in judged)
    assert refused == bool(faults_of(content, name))
    if accepted is not None:
        assert judged == accepted, "the accept path took what the slow path refuses"
        seen["accept path"] += 1
    if expected:
        assert not refused
    if refused:
        assert set(judged) <= set(faults), "the faults of the content are among those of the message"


@pytest.mark.parametrize("name", PACKS)
def test_a_whole_message_means_the_same_to_all_three(name: str, scale: Scale) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=scale(600, 60_000), deadline=None, database=None, derandomize=True)
    @given(st.integers(0, 2**64 - 1))
    def one(seed: int) -> None:
        agree(name, some_message(name, Random(seed)), seen)

    one()
    total = seen["valid"] + seen["refused"]
    assert min(seen["valid"], seen["refused"]) >= 0.2 * total, seen
    assert seen["accept path"] >= 0.1 * total, seen


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda part: getattr(part, "model", part))
def test_a_whole_message_of_every_model_is_taken(name: str, case: UseCase) -> None:
    checks, rnd = pack(name)._checks, Random(7)
    for _ in range(2):
        body = value_of(checks._use_cases[case.root][1].node, rnd)
        whole = {**value_of(checks._envelope.node, rnd)}
        whole["content"] = content_of({**(header(name) if case.header else {}), case.root: body})
        assert pack(name).check_message(dumped(whole)) == ()
        assert pack(name).check(dumped(whole["content"])) == (case.model,)
        agree(name, whole, Counter())
