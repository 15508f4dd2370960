"""Reads the imports of Python files from their source, without running them.

An import counts wherever it stands: at the top of a module, inside a function, below
`if TYPE_CHECKING`, or as `importlib.import_module("a.b")` or
`pytest.importorskip("a.b")` with a literal name.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeAlias

Graph: TypeAlias = dict[str, set[str]]
"""Maps each module of a package to the modules of the package that it imports."""

Rooms: TypeAlias = Sequence[Sequence[str]]
"""Rooms from the lowest to the highest; each one a list of modules or packages."""


def modules(package: Path) -> dict[str, Path]:
    """Maps the dotted names of a package's modules to their files.

    Args:
      package: the folder of the package. Its own name is the first part of all names;
        `__init__.py` goes by the name of its folder.
    """
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path, name: str = "") -> set[str]:
    """Returns the dotted names that a file imports.

    `from a import b` counts as `a.b`, since `b` may be a module.

    Args:
      path: a Python file.
      name: the dotted name of its module, from which relative imports are resolved.
    """
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return {found for node in ast.walk(tree) for found in _imported(node, package)}


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                above = parents[: len(parents) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        case ast.Call(
            func=ast.Attribute(attr="import_module" | "importorskip")
            | ast.Name(id="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield name


def graph(package: Path) -> Graph:
    """Returns which modules of `package` import which others.

    A name inside a module counts as that module; a package that is imported for what
    its `__init__.py` holds counts as itself.
    """
    files = modules(package)
    return {
        name: {
            target
            for imported in imports_of(path, name)
            if (target := _module_of(imported, files)) and target != name
        }
        for name, path in files.items()
    }


def _module_of(dotted: str, files: Mapping[str, Path]) -> str:
    while dotted and dotted not in files:
        dotted = dotted.rpartition(".")[0]
    return dotted


def is_below(name: str, package: str) -> bool:
    """Whether `name` is `package` or lies inside it."""
    return name == package or name.startswith(f"{package}.")


def violations(edges: Graph, rooms: Rooms, package: str) -> list[str]:
    """Lists every import that goes up the order of rooms, as one line each.

    A module that lies in no room is a violation too. The `__init__.py` of a package of
    several rooms needs none as long as it imports nothing and nothing imports it.

    Args:
      edges: as `graph` returns them.
      rooms: from the lowest to the highest, named relative to `package`. A module may
        import from its own room and from lower ones.
      package: the package's name.
    """
    height = {
        name: _height(name.removeprefix(package).removeprefix("."), rooms)
        for name in edges
    }
    used = {name for name, targets in edges.items() if targets}.union(*edges.values())
    lines = [
        f"{name} lies in no room"
        for name in edges
        if height[name] is None and (name in used or not _is_package(name, edges))
    ]
    for name, targets in edges.items():
        for target in targets:
            low, high = height[name], height[target]
            if low is not None and high is not None and high > low:
                lines.append(f"{name} imports {target}, which lies in a higher room")
    return sorted(lines)


def _height(name: str, rooms: Rooms) -> int | None:
    for height, room in enumerate(rooms):
        if any(is_below(name, member) for member in room):
            return height
    return None


def _is_package(name: str, edges: Graph) -> bool:
    return any(other.startswith(f"{name}.") for other in edges)


def circle(edges: Graph) -> list[str]:
    """Returns the modules of one circle of imports, or an empty list if none exists."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return []
