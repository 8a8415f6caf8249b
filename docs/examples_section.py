"""For the reference: `Example:` of this project's docstrings is griffe's section `Examples:`, which knows doctests."""

import re
from typing import Any

import griffe

HEADING = re.compile(r"^Example:$", re.MULTILINE)


class ExamplesSection(griffe.Extension):
    """Renames the heading in every docstring of a package."""

    def on_package(self, *, pkg: griffe.Module, **_more: Any) -> None:
        """Called once a package is read."""
        _rename(pkg)


def _rename(holder: griffe.Object) -> None:
    if holder.docstring is not None:
        holder.docstring.value = HEADING.sub("Examples:", holder.docstring.value)
    for member in holder.members.values():
        if not member.is_alias and isinstance(member, griffe.Object):
            _rename(member)
