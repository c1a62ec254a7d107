"""Random values of a model, and mutations that may break them: the food of the differential tests."""

import copy
from random import Random
from typing import Any

from validators.ecma import Alt, Chars, Repeat, Seq, parse
from validators.ecma import Node as PatternNode
from validators.nodes import Array, Boolean, Node, Number, Object, Text

WORDS = [
    "",
    "a",
    "Périgueux",
    "R07",
    "2024-02-29T10:00:00+01:00",
    "2023-02-29T10:00:00+01:00",
    "FR",
    "\u0000",
    "🚒",
    "A\n",
]
DATES = ["2024-03-12T08:15:30+01:00", "2024-02-29T23:59:59-05:30", "1999-12-31T00:00:00+14:00"]
BAD_DATES = [
    "2024-02-30T08:15:30+01:00",
    "2024-03-12T08:15:60+01:00",
    "2024-03-12T24:00:00+01:00",
    "2024-03-12",
    "0000-01-01T00:00:00+00:00",
]
DATES_WITHOUT_PATTERN = ["2024-03-12t08:15:30.25z", "2024-03-12T08:15:30Z"]
ODD = [None, True, False, 0, -1, 1.0, 1.5, 1e300, 2**63, 2**70, -(2**63), "", "x", [], [1], {}, {"x": 1}]


def odd(rnd: Random) -> Any:
    """A value of no model; a copy, which further mutations may change without changing the list for all that follow."""
    return copy.deepcopy(rnd.choice(ODD))


def text_of(node: PatternNode, rnd: Random) -> str:
    """A text of a pattern's language (a short one)."""
    match node:
        case Chars(ranges):
            return chr(rnd.randint(*rnd.choice(ranges)))
        case Seq(parts):
            return "".join(text_of(part, rnd) for part in parts)
        case Alt(options):
            return text_of(rnd.choice(options), rnd)
        case Repeat(part, low, high):
            return "".join(text_of(part, rnd) for _ in range(rnd.randint(low, min(low + 3, high or low + 3))))
    return ""


def value_of(node: Node, rnd: Random) -> Any:
    """A value that the model accepts."""
    match node:
        case Object():
            names = [name for name in node.fields if name in node.required or rnd.random() < 0.4]
            value = {name: value_of(node.fields[name], rnd) for name in names}
            if not node.closed and rnd.random() < 0.5:
                value["beside"] = odd(rnd)
            return value
        case Array():
            high = min(3, node.max_items or 3)
            return [value_of(node.items, rnd) for _ in range(rnd.randint(node.min_items, high))]
        case Number(integer):
            return rnd.choice([0, 7, -3, 1.0, 2**40]) if integer else rnd.choice([0, 1.5, -2, 1e5, 45.1839])
        case Boolean():
            return rnd.random() < 0.5
        case Text():
            return text_value(node, rnd)


def text_value(node: Text, rnd: Random) -> str:
    if node.codes is not None:
        return rnd.choice(node.codes)
    if node.date_time:
        return rnd.choice(DATES if node.pattern else DATES + DATES_WITHOUT_PATTERN)
    return rnd.choice(WORDS) if node.pattern is None else text_of(parse(node.pattern), rnd)


def places(value: Any, found: list[tuple[Any, Any]] | None = None) -> list[tuple[Any, Any]]:
    """Every (container, key) of a value."""
    found = [] if found is None else found
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            places(value[key], found)
    return found


def mutated(value: Any, rnd: Random, times: int) -> Any:
    """The value after so many changes, itself among what may be changed; None when it was dropped."""
    holder = [value]
    for _ in range(times):
        mutate(holder, rnd)
    return holder[0] if holder else None


def mutate(value: Any, rnd: Random) -> None:
    """One change in place: drop, retype, rename, recode, truncate, nest, add."""
    spots = places(value)
    if not spots:
        return
    holder, key = rnd.choice(spots)
    match rnd.choice(["drop", "retype", "rename", "recode", "truncate", "nest", "add", "date"]):
        case "drop":
            del holder[key]
        case "retype":
            holder[key] = odd(rnd)
        case "rename" if isinstance(holder, dict):
            holder[rnd.choice([key + "X", key.upper(), key[1:]])] = holder.pop(key)
        case "recode" if isinstance(holder[key], str):
            holder[key] = rnd.choice([holder[key] + rnd.choice("xé\n.0"), holder[key].lower(), *WORDS])
        case "truncate" if isinstance(holder[key], (str, list)):
            holder[key] = holder[key][: len(holder[key]) // 2]
        case "nest":
            holder[key] = rnd.choice([[holder[key]], {"x": holder[key]}])
        case "add" if isinstance(holder[key], dict):
            holder[key][rnd.choice(["extra", "createCase", "reference", "freetext", "a" * 80])] = odd(rnd)
        case "date" if isinstance(holder[key], str) and "T" in holder[key]:
            holder[key] = rnd.choice(BAD_DATES + DATES_WITHOUT_PATTERN + DATES)
