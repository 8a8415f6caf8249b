"""An image of predictions on some validation sequences before and after training, next to the ground truth."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from vosmem.data.videos import VideoSequence
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.sequences.methods import segment_sequence
from vosmem.training.modules import PretrainModule
from vosmem.visualization.contact_sheet import SheetRow, contact_sheet
from vosmem.visualization.overlay import overlay

ROWS = 6
HEIGHT = 160  # of a frame in the image, in pixels


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
        rows = []
        for index, sequence in enumerate(self.sequences):
            last = len(sequence) - 1
            masks = [sequence.labels(last), *(labels[index] for labels in self._labels.values())]
            tinted = [_tinted(sequence.frame(last), labels) for labels in (None, *masks)]
            caption = ", ".join((f"{sequence.name}: given mask", "last frame", "truth", *self._labels))
            rows.append(SheetRow(caption, [_tinted(sequence.frame(0), sequence.given_mask(0)), *tinted]))
        return contact_sheet(rows, path, HEIGHT)


def _tinted(frame: Tensor, labels: Tensor | None) -> np.ndarray:
    image = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
    return image if labels is None else overlay(image, labels.cpu().numpy())
