"""Sets of stills made of other sets: joined, split, kept in memory."""

from collections.abc import Sequence

import numpy as np

from vosmem.data.stills import Still, StillSource
from vosmem.errors import InputError


class JoinedStills:
    """Several sets as one, in the order given.

    Args:
        sources: the sets.

    Raises:
        InputError: no set is given.
    """

    def __init__(self, sources: Sequence[StillSource]):
        if not sources:
            raise InputError("no set of stills is given: name at least one")
        self.sources = list(sources)
        self._ends = np.cumsum([len(source) for source in self.sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, index: int) -> str:
        """As its set calls it."""
        source, place = self._locate(index)
        return source.name(place)

    def read(self, index: int) -> Still:
        """As its set reads it."""
        source, place = self._locate(index)
        return source.read(place)

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As its set tells them."""
        source, place = self._locate(index)
        return source.sizes(place)

    def _locate(self, index: int) -> tuple[StillSource, int]:
        which = int(np.searchsorted(self._ends, index, side="right"))
        return self.sources[which], index - (int(self._ends[which - 1]) if which else 0)


class Subset:
    """Every n-th still of a set, or all others: a simple way to hold stills out.

    Args:
        source: the set.
        every: n.
        held_out: True for stills 0, n, 2n, ...; False for the rest.

    Raises:
        InputError: nothing is left.
    """

    def __init__(self, source: StillSource, every: int, held_out: bool):
        self.source = source
        self._indices = [index for index in range(len(source)) if (index % every == 0) == held_out]
        if not self._indices:
            raise InputError(f"no still is left of {len(source)} when every {every}th is held out: use another number")

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        """As the whole set calls it."""
        return self.source.name(self._indices[index])

    def read(self, index: int) -> Still:
        """As the whole set reads it."""
        return self.source.read(self._indices[index])

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As the whole set tells them."""
        return self.source.sizes(self._indices[index])


class CachedStills:
    """A small set kept decoded in memory.

    Args:
        source: the set.
    """

    def __init__(self, source: StillSource):
        self.source = source
        self._decoded: dict[int, Still] = {}

    def __len__(self) -> int:
        return len(self.source)

    def name(self, index: int) -> str:
        """As the set calls it."""
        return self.source.name(index)

    def read(self, index: int) -> Still:
        """Decoded at the first call."""
        if index not in self._decoded:
            self._decoded[index] = self.source.read(index)
        return self._decoded[index]

    def sizes(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """As the set tells them."""
        return self.source.sizes(index)
