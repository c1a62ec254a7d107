"""Patterns for the accept path: texts for Python's `re` that take nothing which the ECMA-262 pattern refuses.

They may take less: they match the whole text even where the pattern is not anchored, and where backtracking could be
costly there is none at all. What they do not take, the slow path judges (`linear`). Possessive repeats would bound the
backtracking too, but those of Python before 3.11.5 take texts that they should not.
"""

from functools import lru_cache
from typing import Final

from validators.ecma import Alt, Chars, End, Node, Ranges, Repeat, Seq, Start, overlap, parse, union

MAX_BACKTRACKING: Final = 64
"""How many ways a plain pattern may have to go wrong before it is left to the slow path."""


@lru_cache(maxsize=1024)
def accepting_pattern(pattern: str) -> str | None:
    """The `re` text, or None: only the slow path reads this one in bounded time. PatternError as `parse`."""
    tree = parse(pattern)
    exact = _separated_list(tree)
    if exact is not None:
        return exact
    cost = _cost(tree, (), in_loop=False)
    if cost is None or cost > MAX_BACKTRACKING:
        return None
    text = _emit(tree)
    # Alternatives are grouped; an anchor of the pattern's own beside ours would only cost time.
    bare = text.removeprefix(r"\A").removesuffix(r"\Z") if isinstance(tree, Seq) else text
    return rf"\A{bare}\Z"


def _char(point: int) -> str:
    char = chr(point)
    if char.isascii() and (char.isalnum() or char in "_.-+@:/ "):
        return char if char.isalnum() or char == "_" else f"\\{char}"
    return f"\\U{point:08x}"


def _emit_chars(ranges: Ranges) -> str:
    if not ranges:
        return "(?!)"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _char(ranges[0][0])
    return "[" + "".join(_char(a) if a == b else f"{_char(a)}-{_char(b)}" for a, b in ranges) + "]"


def _emit(node: Node) -> str:
    match node:
        case Chars(ranges):
            return _emit_chars(ranges)
        case Start():
            return r"\A"
        case End():
            return r"\Z"
        case Seq(parts):
            return "".join(_emit(part) for part in parts)
        case Alt(options):
            inside = "|".join(_emit(option) for option in options)
            return f"(?:{inside})"
        case Repeat(part, low, high):
            inside = _emit(part)
            bounds = f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"
            if isinstance(part, Chars):
                return f"{inside}{bounds}"
            # The whole text matches or nothing, so the order of trying is ours: what follows first. The ids of the
            # national models have few words before their last ones, and cost half of it so.
            return f"(?:{inside}){bounds}{'' if low == high else '?'}"


def _separated_list(tree: Node) -> str | None:
    """`^(C+D?){m,n}$`, D no C: the national models' id. Read literally it splits a word in countless ways; it means at
    most n words of C, D between them and perhaps at the end, with at least m characters of C in all. Since no C is a D,
    a word that gives characters back fails at once: the time is linear."""
    match tree:
        case Seq((Start(), Repeat(Seq((Repeat(Chars(c), 1, None), Repeat(Chars(d), 0, 1))), low, high), End())):
            if overlap(c, d) or not 1 <= low <= 64:
                return None
            word, mark = _emit_chars(c), _emit_chars(d)
            more = "" if high is None else high - 1
            enough = f"{word}{mark}?" * (low - 1) + word
            return rf"\A(?={enough}){word}+(?:{mark}{word}+){{0,{more}}}{mark}?\Z"
    return None


def _nullable(node: Node) -> bool:
    match node:
        case Chars():
            return False
        case Seq(parts):
            return all(_nullable(part) for part in parts)
        case Alt(options):
            return any(_nullable(option) for option in options)
        case Repeat(part, low, _):
            return low == 0 or _nullable(part)
    return True


def _first(node: Node) -> Ranges:
    """The characters that the node may begin with."""
    match node:
        case Chars(ranges):
            return ranges
        case Seq(parts):
            found: Ranges = ()
            for part in parts:
                found = union(found, _first(part))
                if not _nullable(part):
                    break
            return found
        case Alt(options):
            return union(*(_first(option) for option in options))
        case Repeat(part, _, _):
            return _first(part)
    return ()


def _cost(node: Node, follow: Ranges, in_loop: bool) -> int | None:
    """In how many ways a plain match can be tried, given what may follow; None when it grows with the text."""
    match node:
        case Seq(parts):
            return _cost_of_sequence(parts, follow, in_loop)
        case Alt(options):
            costs = [_cost(option, follow, in_loop) for option in options]
            firsts = [union(_first(o), follow) if _nullable(o) else _first(o) for o in options]
            clash = any(overlap(a, b) for i, a in enumerate(firsts) for b in firsts[:i])
            if clash and in_loop:
                return None
            return _sum(costs) if clash else _product(costs)
        case Repeat(part, low, high):
            inner = _cost(part, union(_first(part), follow), in_loop or high != 1)
            if _nullable(part):
                return None
            if low == high or not overlap(_first(part), follow):
                return inner
            return None if high is None or in_loop else _product([inner, high - low + 1])
    return 1


def _cost_of_sequence(parts: tuple[Node, ...], follow: Ranges, in_loop: bool) -> int | None:
    costs: list[int | None] = []
    for part in reversed(parts):
        costs.append(_cost(part, follow, in_loop))
        follow = union(_first(part), follow) if _nullable(part) else _first(part)
    return _product(costs)


def _product(costs: list[int | None]) -> int | None:
    total = 1
    for cost in costs:
        if cost is None:
            return None
        total *= cost
    return total


def _sum(costs: list[int | None]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
