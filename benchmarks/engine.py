"""How long a frame takes and how much memory, beside the plain STM, in one run.

    python -m benchmarks.engine [--objects 1,3] [--memory 5,15] [--precision fp32,bf16] [--repeats 11] [--output FILE]

A frame is memorised and the next one segmented, at 854 x 480, with ResNet-50 and random weights in the published
layout; the next one reads T frames. Each implementation has its own process (the plain one as Python starts it, ours
with what the `vosmem` command sets), and they take turns, so that a busy neighbour slows all alike. Reading and writing
are left out. Peak memory is the resident size at its largest, less that after loading. The error is that of the
probabilities of one step with given masks, against the plain network in float64; flips are the share of pixels with
another label.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PLAIN = "plain"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", default="1,3")
    parser.add_argument("--memory", default="5,15")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", nargs=3, metavar=("NAME", "K", "T"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, num_objects, num_frames = options.worker
        serve(name, int(num_objects), int(num_frames))
        return
    names = [PLAIN, *options.precision.split(",")]
    cases = [(int(k), int(t)) for k in options.objects.split(",") for t in options.memory.split(",")]
    rows = [row for k, t in cases for row in compare(names, k, t, options.repeats)]
    if options.output is not None:
        options.output.write_text(json.dumps({"machine": platform.platform(), "rows": rows}, indent=2) + "\n")


def compare(names: list[str], num_objects: int, num_frames: int, repeats: int) -> list[dict[str, Any]]:
    """One case: every implementation in its own process, in turn."""
    workers = {name: _start(name, num_objects, num_frames) for name in names}
    ready = {name: json.loads(worker.stdout.readline()) for name, worker in workers.items()}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            times[name].append(float(worker.stdout.readline()))
    rows = []
    for name, worker in workers.items():
        worker.stdin.close()
        done = json.loads(worker.stdout.readline())
        worker.wait()
        pairs = [plain / own for plain, own in zip(times[PLAIN], times[name], strict=True)]
        row = {
            "implementation": name, "K": num_objects, "T": num_frames,
            "median_ms": 1000 * statistics.median(times[name]), "times_as_fast": statistics.median(pairs),
            **ready[name], **done,
        }  # fmt: skip
        rows.append(row)
        print(
            f"K={num_objects} T={num_frames:<2} {name:<5} {row['median_ms']:7.0f} ms  {row['times_as_fast']:5.2f} x  "
            f"peak {row['peak_mb']:6.0f} MB  error {row['error']:.1e}  flips {row['flips']:.1e}",
            flush=True,
        )
    return rows


def _start(name: str, num_objects: int, num_frames: int) -> Any:
    command = [sys.executable, "-m", "benchmarks.engine", "--worker", name, str(num_objects), str(num_frames)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def serve(name: str, num_objects: int, num_frames: int) -> None:
    """A worker: says how far it is from float64, then runs a frame for each line, then tells its peak memory."""
    if name != PLAIN:
        from vosmem.cli.environment import prepare

        prepare()
    from benchmarks import steps

    one_step, make_frame = steps.of_plain() if name == PLAIN else steps.of_engine(name)
    loaded = resident_mb()
    frame = make_frame(num_objects, num_frames)
    frame()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak - loaded}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        frame()
        print(time.perf_counter() - start, flush=True)
    error, flips = steps.distance(one_step(num_objects), num_objects)
    print(json.dumps({"error": error, "flips": flips}), flush=True)


def resident_mb() -> float:
    """Resident size of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
