"""Implementations in processes of their own that take turns, so that a busy machine slows all of them alike."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from vosmem.benchmark.cases import Case
from vosmem.benchmark.machine import resident_mb
from vosmem.errors import InputError


class Implementation(Protocol):
    """A network and its memory, as a comparison runs it."""

    def prepare(self, case: Case) -> None:
        """Fill the memory with T - 1 frames."""
        ...

    def frame(self) -> None:
        """Memorise frame T and segment frame T + 1; the memory then is as before."""
        ...

    def parts(self) -> dict[str, float]:
        """Seconds of each part of a frame; empty where parts cannot be separated."""
        ...

    def step(self, case: Case) -> Float[np.ndarray, "K1 H W"]:
        """Probabilities of the second frame, read from the first frame and its given masks."""
        ...

    def rate(self) -> float | None:
        """Best rate of a large convolution in GFLOP/s; None where no floor is wanted."""
        ...

    def peak_mb(self) -> float | None:
        """Largest memory use of the GPU since loading, in units of 2^20 bytes; None for the memory of the process."""
        ...


def serve(make: Callable[[dict[str, Any]], Implementation]) -> None:
    """Run a worker: read the settings from the first line of stdin, then answer each line with one line of JSON.

    Args:
        make: builds the implementation from the settings that `Worker` was given.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # keep what libraries print out of the answers
    implementation = make(json.loads(sys.stdin.readline()))
    loaded = resident_mb()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(implementation, loaded, **json.loads(line))), file=answers, flush=True)


def _answer(implementation: Implementation, loaded: float, do: str, case: Sequence[int], path: str = "") -> Any:
    if do == "prepare":
        implementation.prepare(Case(*case))
        implementation.frame()
        peak = implementation.peak_mb()
        return resident_mb(peak=True) - loaded if peak is None else peak
    if do == "frame":
        start = time.perf_counter()
        implementation.frame()
        return time.perf_counter() - start
    if do == "step":
        np.save(path, implementation.step(Case(*case)))
        return None
    return {"parts": implementation.parts, "rate": implementation.rate}[do]()


class Worker:
    """An implementation in a process of its own; a context manager.

    Args:
        name: of the implementation, for error messages.
        command: starts the process, whose main function calls `serve`.
        settings: what `serve` hands to the implementation.
        environment: of the process; by default that of this process.

    Raises:
        InputError: the process ended before it was ready.
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
        """Prepare a case and warm up; return the peak memory beyond that after loading, in units of 2^20 bytes."""
        return float(self._do("prepare", case))

    def frame(self, case: Case) -> float:
        """Seconds of a frame."""
        return float(self._do("frame", case))

    def parts(self, case: Case) -> dict[str, float]:
        """Seconds of a frame by part."""
        return dict(self._do("parts", case))

    def step(self, case: Case, folder: Path) -> Float[np.ndarray, "K1 H W"]:
        """Probabilities of one step with given masks; passed through a file in `folder`."""
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
            pass  # the process has ended; the empty answer below reports it
        answer = self._process.stdout.readline()
        if not answer:
            status = self._process.wait()
            raise InputError(
                f"the process of {self.name} ended with status {status} (its output is above): if it was killed, "
                f"memory is short: use fewer objects or frames"
            )
        return json.loads(answer)
