"""Check and measure vosmem on this machine's GPU, and write the figures as JSON and as a page for the documentation.

    make gpu-check [DEVICE=cuda] [SCALE=full] [OUT=outputs/gpu-check] [ARGS='--again speed']

The parts run one after the other and need no network. Each writes OUT/PART.json; a part that is done is not run again
with the same commit, so that an interrupted check continues. A part that fails records its error, and the next part
runs. OUT/gpu.md is a section for docs/explanation/performance.md. `tiny` measures nothing useful: it shows on any
machine that every part runs.
"""

import argparse
import gc
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from benchmarks.gpu_parts import FULL, TINY, Scale

from benchmarks import gpu_parts
from vosmem.benchmark.machine import describe
from vosmem.cli.environment import prepare
from vosmem.commands.common import pick_device
from vosmem.errors import InputError
from vosmem.evaluation.tables import as_markdown

SCALES = {"tiny": TINY, "full": FULL}
PARTS = {
    "tests": (gpu_parts.run_tests, "The tests that need a GPU."),
    "golden": (gpu_parts.golden_runs, "Golden runs of the published networks: the largest error of a probability."),
    "speed": (gpu_parts.speed, "A frame next to the plain networks, in turns; the ratio is the plain network's time."),
    "reads": (gpu_parts.reads, "The memory read by each kernel of PyTorch; errors are distances from float64."),
    "memory": (gpu_parts.memory, "Peak memory of a frame, and over a long video with a limited memory."),
    "training": (gpu_parts.training, "A training step of the paper: one clip of three frames, two objects."),
    "loader": (gpu_parts.loader, "Clips of the loader by number of processes."),
    "processes": (gpu_parts.two_processes, "Two processes that share a step by gloo, next to one process."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are not done; return 1 if a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--device", default="cuda", help="cuda, mps or cpu")
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--again", nargs="*", choices=PARTS, default=[], metavar="PART", help="run these parts again")
    options = parser.parse_args(arguments)
    try:
        device = pick_device(options.device)
    except InputError as error:
        sys.exit(f"gpu-check: {error}")
    prepare(keep_freed=True)
    options.out.mkdir(parents=True, exist_ok=True)
    about = {**describe(device), "scale": options.scale, **gpu_parts.environment(device)}
    for name, (measure, _) in PARTS.items():
        path = options.out / f"{name}.json"
        if name not in options.again and is_done(path, about):
            continue
        print(f"gpu-check: {name} ...", flush=True)
        result = run_part(measure, device, SCALES[options.scale])
        print(f"gpu-check: {name} {'failed' if result['error'] else 'done'} in {result['seconds']} s", flush=True)
        path.write_text(json.dumps({"about": about, **result}, indent=2) + "\n", encoding="utf-8")
    results = {name: json.loads((options.out / f"{name}.json").read_text("utf-8")) for name in PARTS}
    page = options.out / "gpu.md"
    page.write_text(as_page(about, results), encoding="utf-8")
    failed = [name for name, result in results.items() if result["error"]]
    for name in failed:
        print(f"gpu-check: {name} failed: {results[name]['error'].strip().splitlines()[-1]}", file=sys.stderr)
    print(f"{page} is ready: paste it into docs/explanation/performance.md, below GPUs")
    return 1 if failed else 0


def is_done(path: Path, about: dict[str, Any]) -> bool:
    """Whether a part has run without an error, on the same device and at the same scale."""
    if not path.is_file():
        return False
    done = json.loads(path.read_text("utf-8"))
    return bool(done["about"] == about and not done["error"])


def run_part(measure: Any, device: torch.device, scale: Scale) -> dict[str, Any]:
    """Run one part; its rows, its error and its seconds."""
    start, rows, error = time.perf_counter(), [], ""
    try:
        for row in measure(device, scale):
            rows.append(row)  # an error keeps the rows before it
    except Exception:  # of any part: the others still run
        error = traceback.format_exc()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()  # for the processes of other parts
    return {"rows": rows, "error": error, "seconds": round(time.perf_counter() - start, 1)}


def as_page(about: dict[str, Any], results: dict[str, dict[str, Any]]) -> str:
    """Write a section of `docs/explanation/performance.md`."""
    lines = [f"## On {about['device']}", "", "`make gpu-check`:", ""]
    lines += [f"* {name.replace('_', ' ')}: {value}" for name, value in about.items()]
    for name, result in results.items():
        lines += ["", f"### {name.capitalize()}", "", f"{PARTS[name][1]} {result['seconds']:.0f} s.", ""]
        if result["rows"]:
            lines.append(as_markdown(pd.DataFrame(result["rows"]), ("K", "T")).strip())
        if result["error"]:
            lines += ["", f"**Failed**: `{result['error'].strip().splitlines()[-1]}`"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
