# SPDX-License-Identifier: Apache-2.0
"""The version of this package, and the name under which its library is installed."""

import os

__version__ = "0.2.0"


def soname() -> str:
    """The file that the loader knows the library by. Before 1.0 every minor version may break programs."""
    major, minor, _ = __version__.split(".")
    version = major if major != "0" else f"0.{minor}"
    return f"libgrkan-{version}.dll" if os.name == "nt" else f"libgrkan.so.{version}"
