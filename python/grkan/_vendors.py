# SPDX-License-Identifier: Apache-2.0
"""Where packages of Python keep vendors' libraries, and which ones bring what is missing. The library knows all other
places."""

from __future__ import annotations

import os
import sys

# NVRTC's packages for CUDA 13 and 12: where NVIDIA's cuda-pathfinder looks, too, but it loads what it finds; and
# PyTorch's own copies, of ROCm's for example.
_PACKAGES = (("nvidia", "cu13", "lib"), ("nvidia", "cuda_nvrtc", "lib"), ("torch", "lib"))
_PACKAGES_OF_WINDOWS = (("nvidia", "cu13", "bin", "x86_64"), ("nvidia", "cuda_nvrtc", "bin"), ("torch", "lib"))
_IS_WINDOWS = os.name == "nt"


def library_folders() -> list[str]:
    """The folders that are there, in the order of sys.path. No package is imported."""
    roots = [root for root in sys.path if os.path.isabs(root)]
    folders = [os.path.join(root, *package) for root in roots
               for package in (_PACKAGES_OF_WINDOWS if _IS_WINDOWS else _PACKAGES)]
    if os.environ.get("CONDA_PREFIX") == sys.prefix:
        folders.append(os.path.join(sys.prefix, *(("Library", "bin") if _IS_WINDOWS else ("lib",))))
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def with_hint(text: str) -> str:
    """A sentence of the library's, and how pip brings what it lacks."""
    if not text.startswith("NVRTC: none") and "no NVRTC" not in text:
        return text
    return f"{text}: pip install 'grkan[cuda13]', or 'grkan[cuda12]' for a driver before 580"
