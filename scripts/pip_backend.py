# SPDX-License-Identifier: Apache-2.0
"""What pip calls to build the Python package (pyproject.toml): meson-python, but for editable installations.

meson-python's own run meson on every import, which isolated builds have taken away by then. Here the library, its
modules and the program are put beside the Python sources, where the wheel has them too, and a path points there: what
is changed in Python counts at once, and what is changed in C with the next `pip install -e .`.
"""

import base64
import csv
import hashlib
import io
import pathlib
import shutil
import zipfile

import mesonpy
from mesonpy import build_sdist, build_wheel, get_requires_for_build_sdist, get_requires_for_build_wheel

__all__ = ["build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable",
           "get_requires_for_build_sdist", "get_requires_for_build_wheel"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ("grkan/bin/", "grkan/lib/")  # the folders of the wheel that meson builds

get_requires_for_build_editable = get_requires_for_build_wheel


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build a wheel, move what was compiled to the sources, and leave a wheel of a path to them."""
    settings = {"build-dir": str(ROOT / "build" / "editable"), **(config_settings or {})}
    name = mesonpy.build_wheel(wheel_directory, settings, metadata_directory)
    path = pathlib.Path(wheel_directory, name)
    with zipfile.ZipFile(path) as wheel:
        entries = {entry: wheel.read(entry) for entry in wheel.namelist()}
    for folder in BUILT:
        shutil.rmtree(ROOT / "python" / folder, ignore_errors=True)
    for entry in [entry for entry in entries if entry.startswith(BUILT)]:
        file = ROOT / "python" / entry
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entries[entry])
        file.chmod(0o755)
    kept = {entry: content for entry, content in entries.items() if ".dist-info/" in entry}
    kept["grkan.pth"] = f"{ROOT / 'python'}\n".encode()
    write_wheel(path, kept)
    return name


def write_wheel(path, files):
    """Write a wheel of files (path to content), with a new list of them."""
    record = next(file for file in files if file.endswith(".dist-info/RECORD"))
    lines = io.StringIO()
    for file, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        csv.writer(lines, lineterminator="\n").writerow(
            (file, "", "") if file == record else (file, f"sha256={digest}", len(content)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, content in files.items():
            wheel.writestr(file, lines.getvalue().encode() if file == record else content)
