# SPDX-License-Identifier: Apache-2.0
"""Where the package looks for its files under Windows, as far as another system can tell."""

import os

from grkan import _library, _vendors, _version


def test_names(monkeypatch, tmp_path):
    library = tmp_path / "bin" / f"libgrkan-{'.'.join(_version.__version__.split('.')[:2])}.dll"
    library.parent.mkdir()
    library.touch()
    monkeypatch.delenv("GRKAN_LIBRARY", raising=False)
    monkeypatch.setattr(_library, "__file__", str(tmp_path / "_library.py"))
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        name, folder = _version.soname(), "bin"
    assert name == library.name
    assert _library.inside(folder, name) == str(library)
    assert _version.soname() != library.name


def test_folders_of_packages(monkeypatch, tmp_path):
    for folder in ("nvidia/cu13/lib", "nvidia/cu13/bin/x86_64", "nvidia/cuda_nvrtc/bin", "torch/lib"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    found = {}
    for system in ("nt", "posix"):
        monkeypatch.setattr(_vendors, "_IS_WINDOWS", system == "nt")
        found[system] = [os.path.relpath(folder, tmp_path) for folder in _vendors.library_folders()]
    assert found == {"nt": ["nvidia/cu13/bin/x86_64", "nvidia/cuda_nvrtc/bin", "torch/lib"],
                     "posix": ["nvidia/cu13/lib", "torch/lib"]}
