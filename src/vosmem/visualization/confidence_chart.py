"""Chart of one object's confidence over a video, as SVG for a page."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 1000, 100  # of the drawing, which a page may stretch
MOST_POINTS = 400


def confidence_chart(
    times: Sequence[int],
    probabilities: Sequence[float],
    areas: Sequence[int],
    lost: Sequence[bool],
    num_frames: int,
) -> str:
    """Draw the probability as a line over the filled area of the object; frames where the object is lost are marked.

    The page sets the colours of the classes `area`, `line` and `lost`. In a long video each point summarises several
    frames by their lowest probability.

    Args:
        times: frame indices, ascending.
        probabilities: in [0, 1].
        areas: in pixels; drawn as a share of the largest.
        lost: whether the object is lost.
        num_frames: length of the video.

    Example:
        >>> confidence_chart([0, 1], [1.0, 0.5], [4, 2], [False, True], 2).count("<polyline")
        1
    """
    last = max(1, num_frames - 1)
    step = WIDTH / last
    spans = _spans([t for t, is_lost in zip(times, lost, strict=True) if is_lost])
    bands = "".join(
        f'<rect class="lost" x="{step * (t - 0.5):.1f}" y="0" width="{step * (end - t):.1f}" height="{HEIGHT}"/>'
        for t, end in spans
    )
    groups = np.array_split(np.arange(len(times)), min(MOST_POINTS, len(times)))
    x = np.array([step * times[group[0]] for group in groups])
    line = np.array([min(probabilities[index] for index in group) for group in groups])
    area = np.array([np.mean([areas[index] for index in group]) for group in groups]) / max(1, *areas)
    ground = f"{x[0]:.1f},{HEIGHT} {_points(x, area)} {x[-1]:.1f},{HEIGHT}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon class="area" points="{ground}"/>{bands}<polyline class="line" points="{_points(x, line)}"/></svg>'
    )


def _spans(times: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers as half-open intervals."""
    spans: list[tuple[int, int]] = []
    for t in times:
        if spans and spans[-1][1] == t:
            spans[-1] = spans[-1][0], t + 1
        else:
            spans.append((t, t + 1))
    return spans


def _points(x: Float[np.ndarray, "N"], y: Float[np.ndarray, "N"]) -> str:
    return " ".join(f"{left:.1f},{HEIGHT * (1 - up):.1f}" for left, up in zip(x, y, strict=True))
