"""Implementations as processes that take turns, so that a busy neighbour slows all of them alike."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from vosmem.benchmark.machine import resident_mb
from vosmem.errors import InputError


class Case(NamedTuple):
    """What is run.

    Attributes:
        num_objects: K.
        num_frames: frames in memory (T).
        height: of the frames, in pixels.
        width: of the frames.
    """

    num_objects: int
    num_frames: int
    height: int
    width: int


class Implementation(Protocol):
    """A network and its memory, as a benchmark runs it."""

    def prepare(self, case: Case) -> None:
        """Fill the memory with T - 1 frames."""
        ...

    def frame(self) -> None:
        """Memorise one frame and segment the next one, which reads T; the memory is then as before."""
        ...

    def parts(self) -> dict[str, float]:
        """The same, with the seconds of each part; empty where there are none to tell apart."""
        ...

    def step(self, case: Case) -> Float[np.ndarray, "K1 H W"]:
        """Probabilities of the second frame, read from the first with its given masks alone."""
        ...

    def rate(self) -> float | None:
        """Best rate of a convolution in GFLOP/s, as this implementation would run it; None if it is of no interest."""
        ...

    def peak_mb(self) -> float | None:
        """Most memory that the device has held since loading; None where that is the process's own."""
        ...


def serve(make: Callable[[dict[str, Any]], Implementation]) -> None:
    """Be a worker: make an implementation from the settings of the first line, then answer each line with one.

    Args:
        make: from the settings that `Worker` was given.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print is no answer
    settings = json.loads(sys.stdin.readline())
    implementation = make(settings)
    loaded = resident_mb()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(implementation, loaded, **json.loads(line))), file=answers, flush=True)


def _answer(implementation: Implementation, loaded: float, do: str, case: Sequence[int], path: str = "") -> Any:
    if do == "prepare":
        implementation.prepare(Case(*case))
        implementation.frame()
        return None
    if do == "peak_mb":
        own = implementation.peak_mb()
        return resident_mb(peak=True) - loaded if own is None else own
    if do == "frame":
        start = time.perf_counter()
        implementation.frame()
        return time.perf_counter() - start
    if do == "parts":
        return implementation.parts()
    if do == "step":
        np.save(path, implementation.step(Case(*case)))
        return None
    assert do == "rate"
    return implementation.rate()


class Worker:
    """An implementation in a process of its own; a context manager.

    Args:
        name: what messages call it.
        command: what starts it; its main function calls `serve`.
        settings: what `serve` hands to it.
        environment: of the process; by default this process's own.

    Raises:
        InputError: it ended before it was ready; its own words stand above.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ):
        self.name = name
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ if environment is None else environment),
        )
        self._ask(json.dumps(dict(settings)))

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait()

    def prepare(self, case: Case) -> float:
        """Ready for frames, after one that warms it up; returns the megabytes that this took beyond loading."""
        self._do("prepare", case)
        return float(self._do("peak_mb", case))

    def frame(self, case: Case) -> float:
        """Seconds of a frame."""
        return float(self._do("frame", case))

    def parts(self, case: Case) -> dict[str, float]:
        """Seconds of a frame by part."""
        return dict(self._do("parts", case))

    def step(self, case: Case, folder: Path) -> Float[np.ndarray, "K1 H W"]:
        """Probabilities of one step with given masks."""
        path = folder / "step.npy"
        self._do("step", case, path=str(path))
        return np.asarray(np.load(path))

    def rate(self, case: Case) -> float | None:
        """GFLOP/s of a convolution."""
        answer = self._do("rate", case)
        return None if answer is None else float(answer)

    def _do(self, what: str, case: Case, **more: str) -> Any:
        return self._ask(json.dumps({"do": what, "case": case, **more}))

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: nothing more comes from it
        answer = self._process.stdout.readline()
        if not answer:
            status = self._process.wait()
            raise InputError(
                f"the process of {self.name} ended with status {status} (its words are above): where it was killed, "
                f"memory is short; take fewer objects or frames"
            )
        return json.loads(answer)
