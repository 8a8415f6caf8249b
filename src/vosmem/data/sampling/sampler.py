"""The order of samples: a function of seed and epoch, with a position that survives a restart."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from vosmem.data.sampling.curriculum import Curriculum
from vosmem.errors import InputError


class SampleKey(NamedTuple):
    """Names a sample.

    Attributes:
        epoch: pass of the training.
        place: index in the epoch, counted over all processes; with the epoch it seeds the sample's draws.
        item: which element of the data set.
        max_skip: greatest skip of a video clip; the curriculum's word, which reaches workers by this way alone.
    """

    epoch: int
    place: int
    item: int
    max_skip: int = 0


class ClipSampler(Sampler[SampleKey]):
    """Yields the keys of an epoch in an order that depends on (seed, epoch) alone.

    The sampler shards itself: of each run of `num_replicas` places, process `rank` takes its own, so that a step sees
    the same samples however many processes share it. It knows how far training has come (`advance`), and goes on from
    there after `load_state_dict`.

    Args:
        repeats: how often each element of the data set stands in a pass through it; fractions are met on average.
        samples_per_epoch: samples of an epoch over all processes; may exceed a pass, of which there are then several,
            each shuffled anew.
        seed: base seed.
        num_replicas: processes that share an epoch.
        rank: this process.
        curriculum: the greatest skip as training goes on; None is 0 throughout.
        one_epoch: whether every epoch is the first one again, clip by clip.

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
            raise InputError(f"samples_per_epoch={samples_per_epoch} is below the number of processes ({num_replicas})")
        self.repeats, self.samples_per_epoch, self.seed = np.asarray(repeats, float), samples_per_epoch, seed
        self.num_replicas, self.rank, self.curriculum = num_replicas, rank, curriculum
        self.one_epoch = one_epoch
        self.epoch = 0
        self._done = 0  # samples trained on in this epoch, over all processes

    def __len__(self) -> int:
        # The full length also after a restart: Lightning itself counts the batches that are done.
        return self.samples_per_epoch // self.num_replicas

    def __iter__(self) -> Iterator[SampleKey]:
        return iter(self.ahead(self.samples_per_epoch)[self.rank :: self.num_replicas])

    @property
    def max_skip(self) -> int:
        """Greatest skip at the present position."""
        return self._skip_at(self._done)

    @property
    def _drawn_epoch(self) -> int:
        """The epoch that order and draws are of."""
        return 0 if self.one_epoch else self.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch; its own epoch leaves the position alone. Lightning calls this before each epoch."""
        if epoch != self.epoch:
            self.epoch, self._done = epoch, 0

    def advance(self, samples: int) -> None:
        """Count samples of this process as trained on; after the last of an epoch the position is the next one's start.

        A checkpoint made right after an epoch's last batch must say so: Lightning resumes it in the next epoch, and
        asks for the order before it says which epoch that is.
        """
        self._done += samples * self.num_replicas
        if self._done >= len(self) * self.num_replicas:
            self.epoch, self._done = self.epoch + 1, 0

    def ahead(self, count: int) -> list[SampleKey]:
        """The next samples after those that are counted, of all processes and of this epoch; at most `count`."""
        order = self._order()
        places = range(self._done, min(self._done + count, len(self) * self.num_replicas))
        return [SampleKey(self._drawn_epoch, place, int(order[place]), self._skip_at(place)) for place in places]

    def state_dict(self) -> dict[str, Any]:
        """Epoch and samples done, over all processes: also right for another number of them."""
        return {"epoch": self.epoch, "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved position."""
        self.epoch, self._done = int(state["epoch"]), int(state["done"])

    def _skip_at(self, place: int) -> int:
        if self.curriculum is None:
            return 0
        return self.curriculum(self._drawn_epoch, self._drawn_epoch * self.samples_per_epoch + place)

    def _order(self) -> np.ndarray:
        rng = np.random.default_rng((self.seed, self._drawn_epoch))
        order = np.zeros(0, int)
        while len(order) < self.samples_per_epoch:
            order = np.concatenate([order, self._pass(rng)])
        return order

    def _pass(self, rng: np.random.Generator) -> np.ndarray:
        """All elements in random order. Of a fraction, each element gets its turn in that share of the passes."""
        shuffled = rng.permutation(len(self.repeats))
        counted = np.floor(np.cumsum(self.repeats[shuffled]) + rng.random())
        return rng.permutation(np.repeat(shuffled, np.diff(counted, prepend=0.0).astype(int)))
