# SPDX-License-Identifier: Apache-2.0
"""No two files call each other in a circle: C by the symbols of the objects, Python by its imports.

    tests/test_circles.py BUILD COMPILER        the folder that meson built in; a compiler of C

A file of C points to those that define what it refers to: of its own library or program first, else of the static ones.
A module of Python points to those that it imports, at its beginning or within a function; what is imported for type
checkers alone does not count.
"""

import ast
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def circles(graph):
    """The strongly connected parts of more than one node, each sorted. `graph`: node to a collection of nodes."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


# ----------------------------------------------------------------------------------------------------------------- C


def objects_of(build):
    """Yield target, object file and source file of what is built, but of the tests."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (build / entry["file"]).resolve()
        target = entry["output"].partition(".p/")[0]
        if source.is_relative_to(ROOT) and not target.startswith("tests/"):
            yield target, build / entry["output"], source.relative_to(ROOT).as_posix()


def symbols_of(paths):
    """Object file to the symbols that it defines for others, and to those that it wants of them."""
    symbols = {str(path): (set(), set()) for path in paths}
    text = subprocess.run(["nm", "--print-file-name", "--extern-only", "--format=posix", *symbols], check=True,
                          capture_output=True, text=True).stdout
    for line in text.splitlines():
        path, _, rest = line.partition(": ")
        name, kind = rest.split()[:2]
        symbols[path][kind in "Uwv"].add(name)
    return symbols


def c_graph(objects):
    """Source file to source file to the symbols that lead there. `objects`: target, object file, source file."""
    symbols = symbols_of(path for _, path, _ in objects)
    homes = collections.defaultdict(set)
    for target, path, source in objects:
        for name in symbols[str(path)][0]:
            homes[name].add((target, source))
    graph = collections.defaultdict(lambda: collections.defaultdict(set))
    for target, path, source in objects:
        for name in symbols[str(path)][1]:
            near = {home for home in homes[name] if home[0] == target}
            for _, other in near or {home for home in homes[name] if is_linked_by_others(home[0])}:
                if other != source:
                    graph[source][other].add(name)
    return graph


def is_linked_by_others(target):
    return target.endswith(".a") or target.startswith("libgrkan.so")


# ------------------------------------------------------------------------------------------------------------ Python


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports_in(nodes):
    """Yield the import statements below some nodes."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif is_for_type_checkers(node):
            yield from imports_in(node.orelse)
        else:
            yield from imports_in(ast.iter_child_nodes(node))


def imported_modules(node, module, is_package, modules):
    """Yield the modules of the package that a statement in a module imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        base = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
        start = ".".join(base + ([node.module] if node.module else []))
        names = [f"{start}.{alias.name}" if f"{start}.{alias.name}" in modules else start for alias in node.names]
    return (name for name in names if name in modules and name != module)


def python_graph(folder):
    """Module to module to the lines that import it."""
    paths = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = collections.defaultdict(lambda: collections.defaultdict(set))
    for module, path in paths.items():
        for node in imports_in(ast.parse(path.read_text()).body):
            for other in imported_modules(node, module, path.name == "__init__.py", paths):
                graph[module][other].add(f"line {node.lineno}")
    return graph


# ------------------------------------------------------------------------------------------------------------- checks


def complaints(graph):
    """What is wrong with a graph, as lines."""
    for part in circles(graph):
        yield "a circle of " + ", ".join(part)
        for node in part:
            for other in sorted(set(graph[node]) & set(part)):
                yield f"    {node} -> {other}: {', '.join(sorted(graph[node][other]))}"


def try_the_graphs():
    """Circles that are planted must be found, and nothing else."""
    sources = {"a.c": "int b(void); int a(void) { return b(); }",
               "b.c": "int c; int a(void); int b(void) { return c + a(); }",
               "d.c": "extern int c; int d(void) { return c; }"}
    modules = {"__init__.py": "from . import a", "a.py": "def f():\n    from .b import g",
               "b.py": "from typing import TYPE_CHECKING\nimport package.a\nif TYPE_CHECKING:\n    from . import c",
               "c.py": "from .b import g"}
    with tempfile.TemporaryDirectory() as name:
        package = pathlib.Path(name, "package")
        package.mkdir()
        for file, text in (sources | modules).items():
            (package / file).write_text(text)
        subprocess.run([sys.argv[2], "-c", *sources], check=True, cwd=package)
        objects = [("one.a", package / source.replace(".c", ".o"), source) for source in sources]
        assert circles(c_graph(objects)) == [["a.c", "b.c"]]
        assert circles(python_graph(package)) == [["package.a", "package.b"]]


def main():
    try_the_graphs()
    objects = list(objects_of(pathlib.Path(sys.argv[1]).resolve()))
    graph = c_graph(objects)
    graph.update(python_graph(ROOT / "python/grkan"))
    arrows = sum(len(others) for others in graph.values())
    wrong = list(complaints(graph))
    print(f"{len(graph)} files and modules, {arrows} arrows between them")
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


main()
