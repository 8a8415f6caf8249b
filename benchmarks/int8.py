"""Measure what int8 convolutions cost and save in ONNX Runtime: an experiment, not a setting of vosmem.

    python -m benchmarks.int8 CHECKPOINT [--count 3] [--output DIR] [KEY=VALUE ...]    (of `vosmem evaluate`)

The graphs of `vosmem export` are quantised by ONNX Runtime's own tool: weights for each channel, activations for each
tensor, by the ranges that they take on `--count` rendered videos of embedded photographs; the memory read stays
float32. Then float32 and int8 segment the same sequences in turn, with the threads that ONNX Runtime chooses.
The output is J&F, milliseconds a frame and the size of the graphs.
"""

import argparse
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import torch
from examples.onnx_segment import Segmenter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from vosmem.commands import compose, make
from vosmem.commands.export import export
from vosmem.data.videos import VideoSequence
from vosmem.evaluation.run import evaluate_sequence

QUANTISED = ("encode_query", "encode_memory", "decode")
CALIBRATED_FRAMES = 6  # of each video; few frames are enough for the ranges of activations


class Gathering(Segmenter):
    """Records the inputs of every graph in `seen`."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.seen: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in self.sessions}

    def _run(self, name: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        asked = [wanted.name for wanted in self.sessions[name].get_inputs()]
        self.seen[name].append({key: values[key] for key in asked})
        return super()._run(name, values)


class OnnxMethod:
    """Exported graphs as a method of the evaluation.

    Args:
        segmenter: fresh, for one sequence.
    """

    def __init__(self, segmenter: Segmenter):
        self.segmenter = segmenter

    def step(
        self, frame: torch.Tensor, mask: torch.Tensor | None = None, *, absent: Sequence[int] = ()
    ) -> torch.Tensor:
        """Segment the next frame; `absent` is ignored."""
        pixels = (frame * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        return torch.from_numpy(self.segmenter.step(pixels, None if mask is None else mask.cpu().numpy()))


class Reader(CalibrationDataReader):
    """Gives a list of inputs to the tool that measures ranges."""

    def __init__(self, inputs: list[dict[str, np.ndarray]]):
        self._inputs: Iterator[dict[str, np.ndarray]] = iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, or None."""
        return next(self._inputs, None)


def main() -> None:
    """Export, quantise and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--count", type=int, default=3, help="videos for the ranges of activations (default: 3)")
    parser.add_argument("--output", type=Path, default=Path("outputs/int8"))
    options, overrides = parser.parse_known_args()
    onnxruntime.set_default_logger_severity(3)
    plain, small = options.output / "fp32", options.output / "int8"
    export(options.checkpoint, plain)
    made = ["eval_set=rendered", "eval_set.seed=2", f"eval_set.count={options.count}"]
    quantise(plain, small, make(compose("evaluate", "checkpoint=none", *made).eval_set))
    rows = []
    for sequence in make(compose("evaluate", "checkpoint=none", *overrides).eval_set):
        for name, folder in (("fp32", plain), ("int8", small)):
            run = evaluate_sequence(sequence, OnnxMethod(Segmenter(folder)), torch.device("cpu"))
            j = 100 * np.mean([np.mean(score.values["J"]) for score in run.scores])
            f = 100 * np.mean([np.mean(score.values["F"]) for score in run.scores])
            rows.append((sequence.name, name, (j + f) / 2, j, f, 1000 * float(np.median(run.seconds))))
            print(*rows[-1][:2], *(f"{value:.1f}" for value in rows[-1][2:]), flush=True)
    table = pd.DataFrame(rows, columns=["sequence", "graphs", "J&F", "J", "F", "median ms a frame"])
    table.to_csv(options.output / "table.csv", index=False)
    means = table.drop(columns="sequence").groupby("graphs", sort=False).mean()
    means["MB"] = [sum(path.stat().st_size for path in folder.glob("*.onnx*")) / 1e6 for folder in (plain, small)]
    print(means.to_string(float_format=lambda value: f"{value:.1f}"))


def quantise(plain: Path, small: Path, videos: list[VideoSequence]) -> None:
    """Write the graphs of a folder to another folder, with int8 convolutions."""
    shutil.rmtree(small, ignore_errors=True)
    shutil.copytree(plain, small)
    seen: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in QUANTISED}
    for video in videos:
        segmenter = Gathering(plain)
        method = OnnxMethod(segmenter)
        for t in range(min(CALIBRATED_FRAMES, len(video))):
            method.step(video.frame(t).float() / 255, video.given_mask(t))
        for name, inputs in seen.items():
            inputs += segmenter.seen[name]
    for name in QUANTISED:
        prepared = small / f"{name}.prepared.onnx"
        quant_pre_process(plain / f"{name}.onnx", prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            small / f"{name}.onnx",
            Reader(seen[name]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,  # without it sums of products overflow on processors that lack VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        prepared.unlink()


if __name__ == "__main__":
    main()
