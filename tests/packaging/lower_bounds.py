"""Print the lowest declared version of every requirement as constraints for pip: `python lower_bounds.py > FILE`.

Runs before anything is installed, so it needs the standard library only.
"""

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[2] / "setup.cfg"
# Extras that are installed into environments of their own: what does not go with the other pins, and a tool's own one.
APART = ("ray-sweeps", "napari", "sam")
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<lowest>[\w.]+)(,<[\w.]+)?")


def lower_bounds(setup: str) -> list[str]:
    """Return `NAME==VERSION` for every requirement in the text of a `setup.cfg`.

    Raises:
        ValueError: a requirement has no lower bound, or is of another form than `NAME[EXTRA]>=LOWEST,<FIRST_UNTESTED`.
    """
    sections = configparser.ConfigParser()
    sections.read_string(setup)
    blocks = [sections["options"]["install_requires"]]
    blocks += [text for extra, text in sections["options.extras_require"].items() if extra not in APART]
    constraints = []
    for line in "\n".join(blocks).split("\n"):
        if not line.strip():
            continue
        match = REQUIREMENT.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{line.strip()!r} has no lower bound that can be installed: write NAME>=LOWEST")
        constraints.append(f"{match['name']}=={match['lowest']}")
    return constraints


if __name__ == "__main__":
    print("\n".join(lower_bounds(SETUP.read_text())))
