"""The order of samples: a function of seed and epoch, with a position that survives a restart."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from vosmem.data.sampling.curriculum import Curriculum
from vosmem.errors import InputError


class SampleKey(NamedTuple):
    """Identifies a sample."""

    epoch: int
    position: int  # index in the epoch, counted over all processes; with the epoch it seeds the sample's draws
    item: int  # element of the data set
    # Greatest skip of a video clip; part of the key because workers know no other training state.
    max_skip: int = 0


class ClipSampler(Sampler[SampleKey]):
    """Yields the keys of an epoch in an order that depends only on (seed, epoch).

    The sampler shards itself: process `rank` takes every `num_replicas`-th position, so that a step sees the same
    samples on any number of processes. It counts the samples that were trained on (`advance`) and resumes there after
    `load_state_dict`.

    Args:
        repeats: how often a pass holds each element of the data set; fractions are met on average.
        samples_per_epoch: samples of an epoch over all processes. If it exceeds a pass, an epoch has several passes,
            each with its own shuffle.
        num_replicas: number of processes.
        rank: index of this process.
        curriculum: the greatest skip as training proceeds; None is 0 throughout.
        one_epoch: whether every epoch repeats the first one, clip by clip.

    Raises:
        InputError: the data set is empty, or an epoch has fewer samples than there are processes.
    """

    def __init__(
        self,
        repeats: Sequence[float] | np.ndarray,
        samples_per_epoch: int,
        seed: int,
        num_replicas: int = 1,
        rank: int = 0,
        curriculum: Curriculum | None = None,
        one_epoch: bool = False,
    ):
        if len(repeats) == 0:
            raise InputError("the data set is empty: no sample can be drawn")
        if samples_per_epoch < num_replicas:
            raise InputError(
                f"samples_per_epoch={samples_per_epoch} is below the number of processes ({num_replicas}): raise it"
            )
        self.repeats, self.samples_per_epoch, self.seed = np.asarray(repeats, float), samples_per_epoch, seed
        self.num_replicas, self.rank, self.curriculum = num_replicas, rank, curriculum
        self.one_epoch = one_epoch
        self.epoch = 0
        self._done = 0  # samples trained on in this epoch, over all processes

    def __len__(self) -> int:
        # The full length also after a restart: Lightning itself counts the batches that are done.
        return self.samples_per_epoch // self.num_replicas

    def __iter__(self) -> Iterator[SampleKey]:
        return iter(self.upcoming(self.samples_per_epoch)[self.rank :: self.num_replicas])

    @property
    def max_skip(self) -> int:
        """Greatest skip at the current position."""
        return self._skip_at(self._done)

    @property
    def _seed_epoch(self) -> int:
        return 0 if self.one_epoch else self.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch; the current epoch keeps its position. Lightning calls this before each epoch."""
        if epoch != self.epoch:
            self.epoch, self._done = epoch, 0

    def advance(self, samples: int) -> None:
        """Count samples of this process as trained on; the last one of an epoch moves to the start of the next.

        A checkpoint made right after an epoch's last batch must say so: Lightning resumes it in the next epoch, and
        asks for the order before it sets that epoch.
        """
        self._done += samples * self.num_replicas
        if self._done >= len(self) * self.num_replicas:
            self.epoch, self._done = self.epoch + 1, 0

    def upcoming(self, count: int) -> list[SampleKey]:
        """At most `count` next keys of all processes in this epoch."""
        order = self._order()
        positions = range(self._done, min(self._done + count, len(self) * self.num_replicas))
        return [SampleKey(self._seed_epoch, p, int(order[p]), self._skip_at(p)) for p in positions]

    def state_dict(self) -> dict[str, Any]:
        """Epoch and samples done over all processes, which holds for any number of processes."""
        return {"epoch": self.epoch, "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self._done = int(state["epoch"]), int(state["done"])

    def _skip_at(self, position: int) -> int:
        if self.curriculum is None:
            return 0
        return self.curriculum(self._seed_epoch, self._seed_epoch * self.samples_per_epoch + position)

    def _order(self) -> np.ndarray:
        rng = np.random.default_rng((self.seed, self._seed_epoch))
        order = np.zeros(0, int)
        while len(order) < self.samples_per_epoch:
            order = np.concatenate([order, self._pass(rng)])
        return order

    def _pass(self, rng: np.random.Generator) -> np.ndarray:
        """All elements in random order; an element with a fraction is in that share of the passes."""
        shuffled = rng.permutation(len(self.repeats))
        counted = np.floor(np.cumsum(self.repeats[shuffled]) + rng.random())
        return rng.permutation(np.repeat(shuffled, np.diff(counted, prepend=0.0).astype(int)))
