# SPDX-License-Identifier: Apache-2.0
"""Arrows between the files in Python point one way: an import anywhere in a file counts, within a function too."""

import ast
import graphlib

from conftest import ROOT


def find_modules():
    """Name -> path: the package's by their full names; scripts, which are found by sys.path, by their own."""
    modules = {}
    for path in sorted((ROOT / "python" / "grkan").rglob("*.py")):
        parts = path.relative_to(ROOT / "python").with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    scripts = (path for folder in ("bench", "examples", "scripts") for path in (ROOT / folder).glob("*.py"))
    return modules | {path.stem: path for path in sorted(scripts)}


def imports(name, path, modules, text=None):
    """Those of the modules that one imports."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(text if text is not None else path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[:len(package.split(".")) + 1 - node.level] if node.level > 0 else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in node.names)
    return found & modules.keys()


def circle_of(graph):
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def test_no_circle_of_imports():
    modules = find_modules()
    graph = {name: imports(name, path, modules) for name, path in modules.items()}
    assert "grkan.torch._kernels" in graph["grkan.torch._autograd"]
    assert "grkan._output" in graph["scripting"] and "scripting" in graph["train_kat"]
    assert circle_of(graph) is None


def test_a_circle_is_seen():
    modules = find_modules()
    graph = {name: imports(name, path, modules) for name, path in modules.items()}
    for name, text in (("grkan._names", "def f():\n    from . import _plan\n"),
                       ("grkan._errors", "import grkan._arrays\n"),
                       ("grkan._operation", "from .torch import _kernels\n"),
                       ("scripting", "if True:\n    from train_kat import main\n")):
        assert circle_of({**graph, name: imports(name, modules[name], modules, text)}) is not None, name


def test_what_knows_nothing_of_pytorch_stays_so():
    modules = find_modules()
    graph = {name: imports(name, path, modules) for name, path in modules.items()}
    above = "grkan.torch", "grkan.timm", "grkan.transformers"
    for name in graph:
        if name.startswith("grkan") and not name.startswith(above):
            assert not [other for other in graph[name] if other.startswith("grkan.torch")], name
