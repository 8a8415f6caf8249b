"""`vosmem evaluate` from its configuration, in this process or shared by several."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from vosmem.checkpoints.loading import find_weights, load_network
from vosmem.checkpoints.reading import file_hash
from vosmem.commands.common import check_lists, make, make_engine, pick_device
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.evaluation.finished import FinishedSequences
from vosmem.evaluation.official import metrics_of
from vosmem.evaluation.report import results, write_results
from vosmem.evaluation.run import SequenceRun, evaluate_sequence
from vosmem.evaluation.submission import write_submission
from vosmem.inference.engine.background import BackgroundWriter
from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.out_of_memory import advice_on_memory
from vosmem.inference.output.mask_writer import write_labels, write_probabilities
from vosmem.inference.sequences.methods import Method, SegmentedFrame
from vosmem.ops.masks import slots_to_ids
from vosmem.workers import ProcessWorkerSlot, distribute

MEMORY_ADVICE = "set memory.max_frames or memory.budget_mb, a smaller short_side, precision=bf16, or fewer num_workers"
OnSequence = Callable[[str, SequenceRun], None]


def evaluate(config: DictConfig, on_sequence: OnSequence) -> tuple[dict[str, Any], dict[str, Path]]:
    """Everything `vosmem evaluate` does: segment, write, score. Sequences that are done already are not done again.

    `on_sequence` is called when a sequence is done. Returns the results, and the files by kind.

    Raises:
        InputError: the checkpoint or the data set cannot be used, or the folder holds another evaluation.
    """
    output_dir = Path(config.paths.output_dir)
    make_engine(config)  # says so at once if the device has no use for the precision
    if config.num_workers < 0:
        raise InputError(f"num_workers={config.num_workers} is below 0: use 0 for this process only")
    check_lists(config, "scales")
    sequences: Sequence[VideoSequence] = make(config.eval_set)
    about = _about(config, pick_device(config.device))
    finished = FinishedSequences(output_dir / "sequences", about)
    runs = {}
    for index, run in _runs(config, sequences, finished):
        runs[index] = run
        on_sequence(sequences[index].name, run)
    ordered = {sequences[index].name: runs[index] for index in sorted(runs)}
    outcome = results(ordered, {**about, "threads": torch.get_num_threads(), "num_workers": config.num_workers})
    files = {"results": output_dir / "results.json"}
    files["table"] = write_results(outcome, files["results"])
    for kind in (*(["masks"] if config.save_masks else []), *(["probabilities"] if config.save_probabilities else [])):
        files[kind] = output_dir / kind
    submission = getattr(sequences, "submission", None)
    if config.save_masks and submission is not None:
        path = output_dir / "submission.zip"
        files["submission"] = write_submission(files["masks"], ordered, path, submission)
    return outcome, files


def _runs(
    config: DictConfig, sequences: Sequence[VideoSequence], finished: FinishedSequences
) -> Iterator[tuple[int, SequenceRun]]:
    """The run of each sequence by its index, as they finish."""
    waiting = []
    for index, sequence in enumerate(sequences):
        run = finished.load(sequence.name)
        if run is None or not _written(config, sequence):
            waiting.append(index)
        else:
            yield index, run
    for index, run in (
        _evaluate_here(config, sequences, waiting) if config.num_workers == 0 else _share(config, waiting)
    ):
        finished.save(sequences[index].name, run)
        yield index, run


def _evaluate_here(
    config: DictConfig, sequences: Sequence[VideoSequence], indices: Sequence[int]
) -> Iterator[tuple[int, SequenceRun]]:
    evaluate_one = _evaluator(config)
    for index in indices:
        yield index, evaluate_one(sequences[index])


def _share(config: DictConfig, indices: Sequence[int]) -> Iterator[tuple[int, SequenceRun]]:
    """Evaluate sequences in worker processes."""
    start = partial(_start_worker, OmegaConf.to_yaml(config, resolve=True))
    threads = max(1, torch.get_num_threads() // config.num_workers)
    slots = [ProcessWorkerSlot(start, index, threads) for index in range(min(config.num_workers, len(indices)))]
    advice = f"use fewer, num_workers={config.num_workers // 2} resume={config.paths.output_dir}"
    for index, outcome in distribute(indices, slots, lambda index, event: None, advice):
        if outcome.trace:
            raise RuntimeError(outcome.trace)
        if outcome.error is not None:
            raise outcome.error
        yield index, outcome.result


def _start_worker(config_yaml: str) -> Callable[[int], SequenceRun]:
    """Called in a worker process: what evaluates the sequence of an index."""
    config = DictConfig(OmegaConf.create(config_yaml))
    sequences, evaluate_one = make(config.eval_set), _evaluator(config)
    return lambda index: evaluate_one(sequences[index])


def _written(config: DictConfig, sequence: VideoSequence) -> bool:
    """Whether the files of a sequence that is done are all there: somebody may have deleted some."""
    asked = {name for t, name in enumerate(sequence.frame_names) if sequence.asks_for(t)}
    kinds = {"masks": (config.save_masks, ".png"), "probabilities": (config.save_probabilities, ".npz")}
    return all(
        asked <= {path.stem for path in (Path(config.paths.output_dir) / kind / sequence.name).glob(f"*{suffix}")}
        for kind, (saved, suffix) in kinds.items()
        if saved
    )


def _evaluator(config: DictConfig) -> Callable[[VideoSequence], SequenceRun]:
    """Segments and scores a sequence with a fresh method; the network is loaded once."""
    engine = make_engine(config)
    make_method, metrics = _method(config, engine), metrics_of(config.scorer)
    output_dir = Path(config.paths.output_dir)

    def write(sequence: VideoSequence, segmented: SegmentedFrame) -> None:
        position = Path(sequence.name) / sequence.frame_names[segmented.t]
        if config.save_masks:
            ids = slots_to_ids(segmented.labels.numpy(), sequence.object_ids)
            write_labels(output_dir / "masks" / f"{position}.png", ids)
        if config.save_probabilities:
            path = output_dir / "probabilities" / f"{position}.npz"
            write_probabilities(path, segmented.probs.float().cpu().numpy(), sequence.object_ids)

    def evaluate_one(sequence: VideoSequence) -> SequenceRun:
        with advice_on_memory(MEMORY_ADVICE), engine.context(), BackgroundWriter() as behind:
            return evaluate_sequence(
                sequence, make_method(sequence.name), engine.device, partial(behind.submit, write), metrics
            )

    return evaluate_one


def _about(config: DictConfig, device: torch.device) -> dict[str, Any]:
    """What the results depend on."""
    return {
        "checkpoint": config.checkpoint,
        "checkpoint_sha256": None if config.checkpoint is None else file_hash(find_weights(config.checkpoint)),
        "method": OmegaConf.to_container(config.method, resolve=True),
        "eval_set": OmegaConf.to_container(config.eval_set, resolve=True),
        "device": str(device),
        "precision": config.precision,
        "compile": config.compile,
        "memory_read": OmegaConf.to_container(config.memory_read, resolve=True),
        "local_attention": OmegaConf.to_container(config.get("local_attention", OmegaConf.create({})), resolve=True),
        "save_masks": config.save_masks,
        "save_probabilities": config.save_probabilities,
        "scorer": config.scorer,
    }


def _method(config: DictConfig, engine: Engine) -> Callable[[str], Method]:
    """Make a fresh method for the sequence of a name; the network is loaded once."""
    factory = make(config.method)
    if config.method._target_ != "vosmem.inference.make_propagator":
        return lambda name: factory()
    if config.checkpoint is None:
        raise InputError("no checkpoint is given: set checkpoint=FILE, or method=copy_first_mask for the floor")
    network = engine.ready(load_network(config.checkpoint))
    return lambda name: factory(network, video=name)
