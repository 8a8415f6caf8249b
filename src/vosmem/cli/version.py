"""`vosmem --version [--verbose]`: what a bug report needs to say about the installation."""

import platform
import re
import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, requires, version


def version_lines(verbose: bool) -> list[str]:
    """Return version and licences of bundled weights; if verbose, also Python, system, devices and requirements."""
    lines = [f"vosmem {version('vosmem')}", *_licences()]
    if not verbose:
        return lines
    lines += [f"Python {platform.python_version()}, {sys.executable}", f"system {platform.platform()}"]
    import torch  # not at the top, so that `vosmem --version` is fast

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    lines.append(f"devices {', '.join(['cpu', *devices])}, {torch.get_num_threads()} threads")
    lines.append(f"CUDA of PyTorch {torch.version.cuda or 'none'}")
    names = [re.split(r"[^\w.-]", line)[0] for line in requires("vosmem") or []]
    return lines + [f"{name} {_installed(name)}" for name in sorted(set(names), key=str.lower)]


def _licences() -> list[str]:
    """A line for each bundled weights file, from the header of its card; no module that imports torch is needed."""
    cards = [path for path in resources.files("vosmem.weights").iterdir() if path.name.endswith(".md")]
    found = [(path, re.search(r"^licence: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)) for path in cards]
    return sorted(f"weights {path.name.removesuffix('.md')}: {line[1]}" for path, line in found if line is not None)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
