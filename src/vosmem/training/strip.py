"""An image of predictions on some validation sequences before and after training, next to the ground truth."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.training.modules import PretrainModule
from vosmem.visualization.overlay import overlay_strip

ROWS = 6


class ValidationStrip:
    """Collects predictions for the last frame of a few validation sequences, and draws them.

    Args:
        sequences: returns the validation sequences. It is called at the first `predict`, when they have been checked.
    """

    def __init__(self, sequences: Callable[[], Sequence[VideoSequence]]):
        self._all_sequences = sequences
        self._labels: dict[str, list[Tensor]] = {}

    @cached_property
    def sequences(self) -> Sequence[VideoSequence]:
        """At most `ROWS` of the sequences."""
        sequences = self._all_sequences()
        return sequences[:: max(1, len(sequences) // ROWS)][:ROWS]

    def predict(self, module: PretrainModule, title: str) -> None:
        """Segment the sequences with the current network; `title` is the heading of its column."""
        training = module.training
        module.eval()
        labels = []
        for sequence in self.sequences:
            propagator = Propagator(module.network, module.policy, video=sequence.name)
            frames = segment_sequence(sequence, propagator, module.device)
            (final,) = deque(frames, maxlen=1)  # the probabilities of a whole video would fill the memory
            labels.append(final.labels.cpu())
        self._labels[title] = labels
        module.train(training)

    def draw(self, path: Path) -> Path:
        """Write the image: the given mask, the last frame, its ground truth, and a column for each `predict`."""
        rows: list[tuple[Tensor, Tensor | None, Tensor, Tensor | None, *tuple[Tensor, ...]]] = []
        for index, sequence in enumerate(self.sequences):
            last = len(sequence) - 1
            predicted = tuple(labels[index] for labels in self._labels.values())
            given, truth = sequence.given_mask(0), sequence.labels(last)
            rows.append((sequence.frame(0), given, sequence.frame(last), truth, *predicted))
        return overlay_strip(rows, path, predictions=tuple(self._labels))
