# SPDX-License-Identifier: Apache-2.0
"""The version of this package, and the name under which its library is installed."""

__version__ = "0.2.0"


def soname() -> str:
    """The file that the loader knows the library by. Before 1.0 every minor version may break programs."""
    major, minor, _ = __version__.split(".")
    return f"libgrkan.so.{major}" if major != "0" else f"libgrkan.so.0.{minor}"
