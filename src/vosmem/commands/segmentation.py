"""`vosmem segment` and `vosmem.load`: a network that is ready to segment, and users' videos through it."""

import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vosmem.checkpoints.loading import find_weights, load_file
from vosmem.commands.common import compose, make, pick_device
from vosmem.commands.first_masks import first_mask_file
from vosmem.commands.run_settings import run_settings
from vosmem.commands.workers import check_workers, make_slots
from vosmem.errors import InputError
from vosmem.files import locked, unwritable
from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.out_of_memory import advice_on_memory
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.manifest import is_manifest, read_manifest
from vosmem.inputs.open import VideoInput, open_videos
from vosmem.memory.budget import bounded
from vosmem.memory.policy import MemoryPolicy
from vosmem.ops.attention import MemoryReadConfig
from vosmem.segmentation.camera import is_camera, record_camera
from vosmem.segmentation.frame_files import SegmentOptions
from vosmem.segmentation.journal import Journal
from vosmem.segmentation.record import unfinished_budget_mb
from vosmem.segmentation.video import VideoProgress, VideoResult, segment_video
from vosmem.workers import Outcome, distribute

MEMORY_ADVICE = "set a smaller --size, --max-frames or --memory-budget, or --precision bf16"
WORKER_ADVICE = "set fewer --workers, a --memory-budget or a smaller --size"
OnProgress = Callable[[str, VideoProgress], None]


def load_segmenter(
    weights: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    top_k: int | None = None,
) -> Segmenter:
    """Load a network and make it ready; arguments and errors are those of `vosmem.load`."""
    return make_segmenter(find_weights(weights, model), device, precision, top_k)


def make_segmenter(weights: Path, device: str, precision: str, top_k: int | None = None) -> Segmenter:
    """As `load_segmenter`, of a file that `find_weights` found.

    Raises:
        InputError: the file cannot be read, or the device is absent or has no use for the precision.
    """
    engine = Engine(pick_device(device), precision, memory_read=MemoryReadConfig(top_k=top_k))
    return Segmenter(load_file(weights)[0], engine)


def segment(options: Namespace, on_progress: OnProgress) -> Iterator[tuple[str, VideoResult | InputError]]:
    """Everything `vosmem segment` does; `on_progress` is called after every frame.

    Yields:
        the name of each video, and what came of it; of several videos one that fails does not stop the others.

    Raises:
        InputError: the only video cannot be segmented, nothing can be done with the options, a result cannot be
            written, or memory runs out.
    """
    try:
        with advice_on_memory(MEMORY_ADVICE):
            yield from _segment(options, on_progress)
    except OSError as error:
        raise unwritable(error, options.output, "name another --output") from error


def _segment(options: Namespace, on_progress: OnProgress) -> Iterator[tuple[str, VideoResult | InputError]]:
    check_workers(options)
    options = _with_whole_paths(options if not is_camera(options.input) else _with_recording(options))
    policy = _policy(options)
    weights = find_weights(options.weights, options.model)  # reports missing weights before anything is decoded
    found, problems = _videos(options)
    single = len(found) == 1 and not is_manifest(options.input)
    # A machine of a Ray cluster looks for itself: the file that was found here need not be there.
    start = partial(VideoSegmenter, options, policy, single, None if options.engine == "ray" else weights)
    if single and options.engine == "here":
        yield found[0].name, start()(found[0], partial(on_progress, found[0].name))
        return
    segment_all = _prepare(found, start, options, on_progress)
    with Journal(options.output) as journal:
        for row, error in problems.items():
            journal.add(row, Outcome(error=error))
            yield row, error
        for video, outcome in segment_all(journal):
            journal.add(video.name, outcome)
            yield video.name, outcome.result_or_error()


class VideoSegmenter:
    """Segments videos as the command line says; the network is loaded once.

    Results of a `single` video are written to the output folder itself. Without `weights`, the file that the options
    name is looked for. `sharing` workers share the memory of the device.

    Raises:
        InputError: the network cannot be loaded, or not be run so.
    """

    def __init__(
        self, options: Namespace, policy: MemoryPolicy, single: bool, weights: Path | None = None, sharing: int = 1
    ):
        self._options, self._single = options, single
        weights = find_weights(options.weights, options.model) if weights is None else weights
        with advice_on_memory(WORKER_ADVICE):
            self._segmenter = make_segmenter(weights, options.device, options.precision, options.top_k)
        memories = sharing * (1 + options.flip)
        self._policy = bounded(policy, self._segmenter.engine.device, memories)
        self._is_bounded = self._policy.budget_mb != policy.budget_mb
        self._make_method = partial(
            self._segmenter.propagator, short_side=options.size, flip=options.flip, zoom=options.zoom
        )
        self._make_method(self._policy)  # says so at once if it cannot be made
        self._about = run_settings(options, self._policy, policy, weights, self._segmenter)
        self._noted = {"source": str(options.input), "weights": str(weights)}

    def __call__(
        self, video: VideoInput, on_progress: Callable[[VideoProgress], None] = lambda progress: None
    ) -> VideoResult:
        """Segment a video.

        Raises:
            InputError: the video cannot be segmented, or memory runs out.
            OSError: a result cannot be written.
        """
        folder = self._options.output if self._single else self._options.output / video.name
        device = self._segmenter.engine.device
        budget_mb = unfinished_budget_mb(folder) if self._is_bounded else None
        policy = replace(self._policy, budget_mb=budget_mb or self._policy.budget_mb)
        noted = {**self._noted, "memory_limits": {"frames": policy.max_frames, "mb": policy.budget_mb}}
        opened = replace(video, direction=self._options.direction).open()  # nothing is made for one that cannot be used
        with advice_on_memory(MEMORY_ADVICE), locked(folder), self._segmenter.context():
            result = segment_video(
                opened,
                partial(self._make_method, policy),
                device,
                folder,
                _written(self._options),
                self._about,
                noted,
                on_progress,
            )
        return replace(result, memory_limits=policy.limits)


def _videos(options: Namespace) -> tuple[list[VideoInput], dict[str, InputError]]:
    """The videos that are there, and what is wrong with the rows of a list that are not."""
    read = {"max_objects": options.max_objects, "clean": options.clean_masks, "frames": options.frames}
    if is_manifest(options.input):
        if options.mask is not None or options.prompts is not None:
            given = "--mask is" if options.mask is not None else "boxes, points or strokes are"
            raise InputError(f"{given} given for a list, which names masks itself: leave out what selects objects")
        return read_manifest(options.input, start=options.start, **read)
    mask, start, notes = first_mask_file(options, options.output)
    found = open_videos(options.input, mask, start=start, **read)
    return [replace(video, notes=(*video.notes, *notes)) for video in found], {}


def _prepare(
    found: Sequence[VideoInput], start: Callable[[], VideoSegmenter], options: Namespace, on_progress: OnProgress
) -> Callable[[Journal], Iterator[tuple[VideoInput, Outcome]]]:
    """Start what segments the videos, here or in workers; the returned function segments them."""
    if not found:
        return lambda journal: iter(())
    if options.engine != "here":
        slots = make_slots(start, options, len(found))
        return lambda journal: distribute(
            found, slots, lambda video, event: journal.note(f"{video.name}: {event}"), WORKER_ADVICE
        )
    segment_one = start()
    return lambda journal: _one_by_one(found, segment_one, on_progress)


def _one_by_one(
    found: Sequence[VideoInput], segment_one: VideoSegmenter, on_progress: OnProgress
) -> Iterator[tuple[VideoInput, Outcome]]:
    for video in found:
        try:
            outcome = Outcome(result=segment_one(video, partial(on_progress, video.name)))
        except InputError as error:
            outcome = Outcome(error=error.with_traceback(None))  # whose frames would keep the memory of this video
        yield video, outcome


def _with_recording(options: Namespace) -> Namespace:
    """The options with a recording of the camera as input."""
    end = None if options.frames is None else options.frames.end
    return Namespace(**{**vars(options), "input": record_camera(options.input, options.output, end)})


def _with_whole_paths(options: Namespace) -> Namespace:
    """The options with paths that workers in other folders can follow."""
    if options.engine == "here":
        return options
    paths = {name: getattr(options, name) for name in ("input", "output", "mask")}
    if options.weights is not None and Path(options.weights).is_file():
        paths["weights"] = Path(options.weights)
    whole = {name: None if path is None else path.absolute() for name, path in paths.items()}
    return Namespace(**{**vars(options), **whole})


def _policy(options: Namespace) -> MemoryPolicy:
    """The memory policy of a name in the config group `memory`, which holds its defaults."""
    if options.interval is not None and options.memory != "every_n":
        raise InputError(f"--interval belongs to --memory every_n, not to {options.memory}: leave it out")
    if options.include_last is not None and options.memory not in ("every_n", "adaptive"):
        raise InputError(
            f"--include-last belongs to --memory every_n and adaptive, not to {options.memory}: leave it out"
        )
    limits = {
        "max_frames": options.max_frames,
        "budget_mb": options.memory_budget,
        "interval": options.interval,
        "include_last": options.include_last,
    }
    overrides = [f"memory.{key}={value}" for key, value in limits.items() if value is not None]
    policy: MemoryPolicy = make(compose("evaluate", f"memory={options.memory}", *overrides).memory)
    return policy


def _written(options: Namespace) -> SegmentOptions:
    return SegmentOptions(options.direction, tuple(options.write))
