# SPDX-License-Identifier: Apache-2.0
"""The command python3 -m grkan.torch.in_place_of."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import runpy
import sys
from pathlib import Path

from . import __doc__ as about

FOLDERS = sorted(path.name for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name[0] != "_")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m grkan.torch.in_place_of", description=about.partition("\n\nBeside")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: the program's own; 2 bad usage, or no such program.")
    parser.add_argument("package", metavar="PACKAGE", choices=FOLDERS, help=f"one of {', '.join(FOLDERS)}")
    parser.add_argument("-m", dest="is_module", action="store_true", help="PROGRAM is a module, as after python3 -m")
    parser.add_argument("program", metavar="PROGRAM", help="a script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="the program's own")
    return parser


def _has_module(name: str) -> bool:
    try:
        return not name.startswith(".") and importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


def _has_script(path: str) -> bool:
    """A file, or a folder or an archive with a __main__.py, as Python takes them; to look into archives is Python's."""
    return Path(path, "__main__.py").exists() if Path(path).is_dir() else Path(path).exists()


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    sys.argv = [options.program, *options.arguments]
    has_folder = not getattr(sys.flags, "safe_path", False)  # the working one's; a script has its own in its place
    if has_folder and not options.is_module:
        sys.path[0] = str(Path(options.program).resolve().parent)
    sys.path.insert(0, str(Path(__file__).parent / options.package))
    importlib.import_module(options.package)  # now, since the program may put folders before that one
    if options.is_module:
        if not _has_module(options.program):
            parser.error(f"there is no module '{options.program}'")
        runpy.run_module(options.program, run_name="__main__", alter_sys=True)
    else:
        if not options.program or not _has_script(options.program):
            parser.error(f"there is no file '{options.program}'")
        runpy.run_path(options.program, run_name="__main__")


if __name__ == "__main__":
    main()
