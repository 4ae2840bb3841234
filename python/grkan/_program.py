# SPDX-License-Identifier: Apache-2.0
"""The program grkan, which the package has inside of it. pip makes a command of main()."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

from ._library import inside
from ._vendors import library_folders


def main() -> NoReturn:
    """Become the program, or, under Windows, wait for it: a program there takes no other's place."""
    program = inside("bin", "grkan.exe" if os.name == "nt" else "grkan")
    if program is None:
        sys.exit("grkan: this package was built without the program: cJSON was not found (meson's option tools)")
    named = os.environ.get("GRKAN_LIBRARY_FOLDERS")
    folders = os.pathsep.join([*([named] if named else []), *library_folders()])
    arguments, environment = ["grkan", *sys.argv[1:]], {**os.environ, "GRKAN_LIBRARY_FOLDERS": folders}
    if os.name == "nt":
        sys.exit(subprocess.run(arguments, executable=program, env=environment, check=False).returncode)
    os.execve(program, arguments, environment)
