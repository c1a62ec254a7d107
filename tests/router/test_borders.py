"""The core decides and the lane parses: neither knows a loop, a socket, a clock, chance or a logger.

Read from the sources, not from `sys.modules`: what a third party or the standard library imports for itself is its own
affair, what a module of this project imports (anywhere in it, and through any module of this project) is ours.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE_ROOMS = ("router/core", "router/lane", "validators")
FORBIDDEN = frozenset(
    (
        "aiormq",
        "asyncio",
        "logging",
        "os",
        "random",
        "selectors",
        "socket",
        "subprocess",
        "threading",
        "time",
        "uvloop",
    )
)


class Project:
    """The import graph of the Python files under `root`, as far as it is asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._imports: dict[Path, frozenset[str]] = {}

    def trespasses(self, room: str) -> dict[str, list[str]]:
        """Forbidden modules that a room's files lead to, each with the way there."""
        found: dict[str, list[str]] = {}
        for path in sorted((self._root / room).rglob("*.py")):
            for module, way in self._reached(path):
                if module.partition(".")[0] in FORBIDDEN:
                    found.setdefault(f"{way[0]} -> {module}", way)
        return found

    def reached(self, room: str) -> set[str]:
        """Files of the project that a room's files lead to, relative to the root."""
        way_ends: set[str] = set()
        for path in sorted((self._root / room).rglob("*.py")):
            way_ends.update(way[-1] for _, way in self._reached(path))
        return way_ends

    def _reached(self, start: Path) -> Iterator[tuple[str, list[str]]]:
        seen = {start}
        waiting = [(start, [self._name(start)])]
        while waiting:
            path, way = waiting.pop()
            for module in self._imports_of(path):
                yield module, way
                for file in self._files(module):
                    if file not in seen:
                        seen.add(file)
                        waiting.append((file, [*way, self._name(file)]))

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._root))

    def _files(self, module: str) -> Iterator[Path]:
        """What runs when `module` is imported: every package on the way, then the module itself."""
        here = self._root
        for word in module.split("."):
            here = here / word
            for file in (here / "__init__.py", here.with_suffix(".py")):
                if file.is_file():
                    yield file

    def _imports_of(self, path: Path) -> frozenset[str]:
        if path not in self._imports:
            tree = ast.parse(path.read_bytes(), str(path))
            self._imports[path] = frozenset(name for node in ast.walk(tree) for name in self._named(node, path))
        return self._imports[path]

    def _named(self, node: ast.AST, path: Path) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = self._absolute(node, path)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)  # a submodule, or a name: then no file has it
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func
            called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if called in ("__import__", "import_module") and isinstance(node.args[0].value, str):
                yield node.args[0].value

    def _absolute(self, node: ast.ImportFrom, path: Path) -> str:
        if not node.level:
            return node.module or ""
        package = path.parent.relative_to(self._root).parts
        package = package[: len(package) - node.level + 1]
        return ".".join((*package, node.module) if node.module else package)


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_imports_no_loop_socket_clock_chance_or_logger(room: str) -> None:
    assert list((ROOT / room).rglob("*.py")), f"{room} has no sources: the test looks in the wrong place"
    assert Project(ROOT).trespasses(room) == {}


def test_the_core_leads_to_no_other_room_than_validators() -> None:
    rooms = {str(Path(name).parent) for name in Project(ROOT).reached("router/core")}
    assert {room for room in rooms if not room.startswith("validators")} <= {"router", "router/core"}


def test_the_lane_leads_to_no_other_room_than_the_core() -> None:
    rooms = {str(Path(name).parent) for name in Project(ROOT).reached("router/lane")}
    assert {room for room in rooms if not room.startswith("validators")} <= {"router", "router/lane", "router/core"}


# ---- the test itself sees what it must -----------------------------------------------------------

WAYS_TO_IMPORT = (
    "import {0}",
    "import {0} as harmless",
    "from {0} import something",
    "import json, {0}",
    "def late() -> None:\n    import {0}",
    "try:\n    pass\nexcept ImportError:\n    from {0} import something",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {0}",
    "import importlib\nthing = importlib.import_module('{0}')",
    "thing = __import__('{0}')",
    "import {0}.inner",
)


def _write(root: Path, files: dict[str, str]) -> Project:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Project(root)


@pytest.mark.parametrize("module", sorted(FORBIDDEN))
@pytest.mark.parametrize("way", WAYS_TO_IMPORT)
def test_each_forbidden_module_is_seen_however_it_is_imported(tmp_path: Path, way: str, module: str) -> None:
    project = _write(tmp_path, {"router/__init__.py": "", "router/core/bad.py": way.format(module) + "\n"})
    assert len(project.trespasses("router/core")) >= 1


@pytest.mark.parametrize(
    "through",
    (
        "from router.settings import clock",
        "from router.settings.clock import now",
        "import router.settings.clock",
        "from ..settings import clock",
        "from ..settings.clock import now",
        "from router.core import bridge",
        "from . import bridge",
    ),
)
def test_a_forbidden_module_is_seen_through_other_modules_of_the_project(tmp_path: Path, through: str) -> None:
    files = {
        "router/__init__.py": "",
        "router/core/__init__.py": "",
        "router/core/fine.py": f"{through}\n",
        "router/core/bridge.py": "from router.settings.clock import now\n",
        "router/settings/__init__.py": "",
        "router/settings/clock.py": "from time import time as now\n",
    }
    ways = _write(tmp_path, files).trespasses("router/core")
    assert "router/core/fine.py -> time" in ways
    assert ways["router/core/fine.py -> time"][-1] == "router/settings/clock.py"


def test_the_package_of_an_imported_module_counts_too(tmp_path: Path) -> None:
    files = {
        "router/__init__.py": "",
        "router/core/fine.py": "import router.settings.clock\n",
        "router/settings/__init__.py": "import logging\n",
        "router/settings/clock.py": "",
    }
    assert "router/core/fine.py -> logging" in _write(tmp_path, files).trespasses("router/core")


def test_names_that_only_look_alike_are_let_through(tmp_path: Path) -> None:
    text = "import timeit\nfrom datetime import time\nfrom router.core import ossuary\nrandom = 'logging'\n"
    files = {"router/__init__.py": "", "router/core/ossuary.py": "", "router/core/fine.py": text}
    assert _write(tmp_path, files).trespasses("router/core") == {}
