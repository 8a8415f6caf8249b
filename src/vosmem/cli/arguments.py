"""Command lines on which nothing is dropped."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vosmem.errors import InputError


class Parser(argparse.ArgumentParser):
    """A parser that refuses an option of one value when it is given twice, and takes files with names such as `-x.mp4`.

    Raises:
        InputError: an option is given twice.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.given: set[str] = set()
        self.register("action", None, _StoreOnce)
        self.register("action", "store", _StoreOnce)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As of argparse, with files that look like options as paths."""
        self.given = set()
        return super().parse_known_args(None if args is None else [self._as_path(text) for text in args], namespace)

    def _as_path(self, text: str) -> str:
        looks_like_option = text.startswith("-") and text.split("=")[0] not in self._option_string_actions
        return f"./{text}" if looks_like_option and Path(text).exists() else text


class _StoreOnce(argparse.Action):
    """Keeps the value of an option, as `store` of argparse does, but not the last of several."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep a value.

        Raises:
            InputError: there is one already.
        """
        assert isinstance(parser, Parser)  # which registers this action
        if option_string is not None and self.dest in parser.given:
            raise InputError(f"{option_string} is given twice: give it once")
        parser.given.add(self.dest)
        setattr(namespace, self.dest, values)
