"""Search in time linear in the text, whatever the pattern: a deterministic automaton that is built as texts need it.

No backtracking, hence no hostile string: a character costs one dictionary look-up. Used by the slow path, whose verdict
stands; the accept path uses the faster backtracking engine with stricter patterns (`accepting`).
"""

from bisect import bisect_right
from typing import Final

from validators.ecma import Alt, Chars, End, Node, PatternError, Repeat, Seq, Start, parse

MAX_NFA_STATES: Final = 20_000
MAX_DFA_STATES: Final = 2_000
MAX_CACHED_CHARS: Final = 1_024
_BEYOND: Final = "\U0010ffff"

_PLAIN, _AT_START, _AT_END = 0, 1, 2


class _Nfa:
    """States numbered from 0; `edges` without a character and with their condition, `steps` with one."""

    def __init__(self, tree: Node) -> None:
        self.edges: list[list[tuple[int, int]]] = []
        self.steps: dict[int, tuple[tuple[tuple[int, int], ...], int]] = {}
        self.start = self.state()
        self.accept = self.build(tree, self.start)

    def state(self) -> int:
        if len(self.edges) >= MAX_NFA_STATES:
            raise PatternError("the pattern is too large")
        self.edges.append([])
        return len(self.edges) - 1

    def edge(self, source: int, condition: int = _PLAIN) -> int:
        target = self.state()
        self.edges[source].append((target, condition))
        return target

    def build(self, node: Node, at: int) -> int:
        """Add `node` behind state `at`; the state where it ends."""
        match node:
            case Chars(ranges):
                target = self.state()
                self.steps[at] = (ranges, target)
                return target
            case Start():
                return self.edge(at, _AT_START)
            case End():
                return self.edge(at, _AT_END)
            case Seq(parts):
                for part in parts:
                    at = self.build(part, self.edge(at))
                return at
            case Alt(options):
                ends = [self.build(option, self.edge(at)) for option in options]
                joined = self.state()
                for end in ends:
                    self.edges[end].append((joined, _PLAIN))
                return joined
            case Repeat():
                return self.repeat(node, at)

    def repeat(self, node: Repeat, at: int) -> int:
        for _ in range(node.low):
            at = self.build(node.part, self.edge(at))
        if node.high is None:
            loop = self.edge(at)
            self.edges[self.build(node.part, self.edge(loop))].append((loop, _PLAIN))
            return self.edge(loop)
        exits = [at]
        for _ in range(node.high - node.low):
            at = self.build(node.part, self.edge(at))
            exits.append(at)
        out = self.state()
        for leaving in exits:
            self.edges[leaving].append((out, _PLAIN))
        return out

    def closure(self, states: set[int], conditions: tuple[int, ...]) -> frozenset[int]:
        """All states reachable without a character, under the conditions that hold."""
        seen, waiting = set(states), list(states)
        while waiting:
            for target, condition in self.edges[waiting.pop()]:
                if target not in seen and condition in conditions:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)


class _Found(Exception):
    """The pattern occurs, whatever follows."""


class _Never(Exception):
    """It does not, whatever follows."""


class _State(dict[str, "_State"]):
    """What follows each character seen so far; asked for another, the pattern is. Raises _Found or _Never
    for one that decides."""

    __slots__ = ("_pattern", "accepts", "accepts_at_end", "members")

    def __init__(self, members: frozenset[int], pattern: "LinearPattern", nfa: _Nfa, at_start: bool) -> None:
        at_end = (_PLAIN, _AT_START, _AT_END) if at_start else (_PLAIN, _AT_END)
        self._pattern = pattern
        self.members = members
        self.accepts = nfa.accept in members
        self.accepts_at_end = nfa.accept in nfa.closure(set(members), at_end)

    def __missing__(self, char: str) -> "_State":
        return self._pattern._step(self, char)


class LinearPattern:
    """A compiled ECMA-262 pattern. `search(text)`: whether it occurs in the text; never slower than linear."""

    def __init__(self, pattern: str) -> None:
        """PatternError when the pattern is malformed or not regular."""
        self._nfa = _Nfa(parse(pattern))
        self._again = self._nfa.closure({self._nfa.start}, (_PLAIN,))
        self._anchored = not any(s in self._nfa.steps or s == self._nfa.accept for s in self._again) and not any(
            condition == _AT_END for s in self._again for _, condition in self._nfa.edges[s]
        )
        cuts = sorted({p for ranges, _ in self._nfa.steps.values() for a, b in ranges for p in (a, b + 1)})
        self._cuts, self._last_cut = cuts, cuts[-1] if cuts else 0
        self._forget()

    def search(self, text: str) -> bool:
        """Whether the pattern occurs in the text."""
        state = self._first
        if state.accepts:
            return True
        try:
            for char in text:
                state = state[char]
        except _Found:
            return True
        except _Never:
            return False
        return state.accepts_at_end

    def _forget(self) -> None:
        nfa = self._nfa
        self._states: dict[frozenset[int], _State] = {}
        self._by_class: dict[tuple[frozenset[int], int], _State] = {}
        self._first = _State(nfa.closure({nfa.start}, (_PLAIN, _AT_START)), self, nfa, at_start=True)

    def _step(self, state: _State, char: str) -> _State:
        """The state behind a character that `state` does not know. Raises _Found or _Never."""
        point = ord(char)
        if len(state) >= MAX_CACHED_CHARS and point > self._last_cut and char != _BEYOND:
            return state[_BEYOND]  # all characters beyond are one to the pattern
        key = (state.members, bisect_right(self._cuts, point))
        target = self._by_class.get(key)
        if target is None:
            if len(self._states) >= MAX_DFA_STATES:
                self._forget()
            target = self._by_class[key] = self._target(state.members, point)
        if target.accepts:
            raise _Found
        if not target.members:
            raise _Never
        if len(state) < MAX_CACHED_CHARS or char == _BEYOND:
            state[char] = target
        return target

    def _target(self, members: frozenset[int], point: int) -> _State:
        nfa = self._nfa
        reached: set[int] = set()
        for member in members:
            step = nfa.steps.get(member)
            if step is not None and any(a <= point <= b for a, b in step[0]):
                reached.add(step[1])
        closed = nfa.closure(reached, (_PLAIN,))
        if not self._anchored:
            closed |= self._again
        found = self._states.get(closed)
        if found is None:
            found = self._states[closed] = _State(closed, self, nfa, at_start=False)
        return found
