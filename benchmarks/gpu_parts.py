"""The parts of `benchmarks.gpu_check`: each yields rows of figures."""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from benchmarks.loader import clips_per_second
from benchmarks.loader import make as make_loader
from benchmarks.plain_stcn import PlainSTCN
from benchmarks.reference import PlainFrame
from benchmarks.training_step import Step
from hydra import initialize_config_module
from omegaconf import OmegaConf
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks import stcn_speed
from tests.golden_runs import ROUNDING, RUNS, differences, whole_float32
from tests.reference_checkpoint import reference_state_dict
from tests.reference_stcn import stcn_state_dict
from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame, synthetic_frame
from vosmem.benchmark.machine import peak_mb, reset_peak, seconds_of, synchronize
from vosmem.checkpoints.models import without_weights
from vosmem.commands.common import compose, make
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.out_of_memory import is_out_of_memory
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import EveryN
from vosmem.ops.attention import MemoryReadConfig, read_memory
from vosmem.workers import usable_cores

ROOT = Path(__file__).resolve().parents[1]
TESTS_SECONDS, PROCESSES_SECONDS = 240, 120  # after which a part has failed
Rows = Iterator[dict[str, Any]]


class Scale(NamedTuple):
    """The size of the work."""

    tests: tuple[str, ...]  # files
    golden: int  # number of golden runs
    models: tuple[str, ...]
    objects: tuple[int, ...]
    size: tuple[int, int]
    memory: tuple[int, ...]  # frames in memory
    seconds: float  # least time of a measurement
    video: int  # frames of the long video
    clip: int  # side of a training clip in pixels
    compiled: bool


FULL = Scale(
    ("tests",), 4, ("stm", "stcn", "remn", "remn_small"), (1, 3, 10), (480, 854), (5, 20), 0.5, 1000, 384, True
)
TINY = Scale(("tests/training/test_waits.py",), 1, ("remn_small",), (1,), (48, 80), (2,), 0.0, 6, 32, False)


def environment(device: torch.device) -> dict[str, Any]:
    """What the figures depend on beyond `describe`."""
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    found: dict[str, Any] = {"commit": described.stdout.strip() or "unknown", "cores": usable_cores()}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found["compute_capability"] = f"{properties.major}.{properties.minor}"
        found["memory_mb"] = properties.total_memory // 2**20
        found["cuda"], found["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()
    return found


def engines(device: torch.device) -> Iterator[tuple[str, Engine]]:
    """The precisions that the device computes in at full speed."""
    for precision in ("fp32", "bf16", "fp16"):
        try:
            yield precision, Engine(device, precision)
        except InputError:
            continue


def run_tests(device: torch.device, scale: Scale) -> Rows:
    """Run the tests marked `gpu`; they are skipped without a GPU."""
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "--tb=line", *scale.tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TESTS_SECONDS)
    lines = done.stdout.splitlines()
    counts = [line.strip("= ") for line in lines if " passed" in line or " skipped" in line or " failed" in line]
    yield {"tests": "all", "outcome": counts[-1] if counts else "none was selected"}
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")):
            test, _, reason = line.partition(" - ")
            yield {"tests": test.split(maxsplit=1)[1], "outcome": reason or "failed"}
    if done.returncode not in (0, 5):  # 5: no test was selected
        raise RuntimeError(
            f"{len(lines)} lines of pytest, status {done.returncode}: {' '.join(done.stderr.split())[-500:]}"
        )


def golden_runs(device: torch.device, scale: Scale) -> Rows:
    """Run the golden runs in every precision; PyTorch's float32 rounds convolutions to TF32 on a GPU."""
    for name in list(RUNS)[: scale.golden]:
        with whole_float32():
            error, changed = differences(name, Engine(device))
        yield {"run": name, "precision": "fp32 without TF32", "error": error, "labels changed": changed}
        if error > ROUNDING:
            raise RuntimeError(f"{name} in float32 is {error:.1e} from the golden run: at most {ROUNDING} is rounding")
        for precision, engine in engines(device):
            if precision != "fp32" or device.type == "cuda":
                error, changed = differences(name, engine)
                yield {"run": name, "precision": precision, "error": error, "labels changed": changed}


def speed(device: torch.device, scale: Scale) -> Rows:
    """Time a frame of each network; the plain networks take turns with the engine."""
    with TemporaryDirectory() as folder:
        weights = Path(folder) / "stm.pth"
        torch.save(reference_state_dict(5), weights)
        for model in scale.models:
            network = _network(model)
            for num_objects in scale.objects:
                case = Case(num_objects, scale.memory[0], *scale.size)
                plain = _plain(model, device, weights, case)
                for precision, engine in engines(device):
                    own = EngineFrame(engine.ready(network), engine, case).frame
                    setting = {"model": model, "K": num_objects, "T": case.num_frames, "precision": precision}
                    try:
                        yield {**setting, **_turns(plain, own, device, scale.seconds)}
                    except RuntimeError as error:
                        if not is_out_of_memory(error):
                            raise
                        yield {**setting, "ms": None}  # the plain network needs more memory than there is


def _network(model: str) -> Any:
    config = compose("benchmark", f"model={model}", "paths.output_dir=unused")
    return make(OmegaConf.create(without_weights(config.model))).eval()


def _plain(model: str, device: torch.device, weights: Path, case: Case) -> Any:
    """The frame of the plain network; None for networks without one."""
    if model == "stm":
        frame = PlainFrame({"checkpoint": weights, "device": device.type, "precision": "fp32"})
        frame.prepare(case)
        return frame.frame
    if model == "stcn":
        return stcn_speed.PlainFrame(PlainSTCN(stcn_state_dict(55)).to(device), case).frame
    return None


def _turns(plain: Any, own: Any, device: torch.device, seconds: float) -> dict[str, float]:
    for run in (plain, own):
        if run is not None:
            run()
    reset_peak(device)
    own_times, plain_times = [], []
    for _ in range(3):
        own_times += seconds_of(own, seconds)
        plain_times += [] if plain is None else seconds_of(plain, seconds)
    median = statistics.median(own_times)
    found = {"ms": 1000 * median, "frames/s": 1 / median}
    return {**found, "times as fast as plain": statistics.median(plain_times) / median} if plain_times else found


def reads(device: torch.device, scale: Scale) -> Rows:
    """Time the read of three objects by this project's methods and by each kernel on the same tensors."""
    num_cells = (-(-scale.size[0] // 16)) * (-(-scale.size[1] // 16))
    for num_frames in scale.memory:
        for precision, engine in engines(device):
            for similarity, channels in (("dot", 128), ("l2", 64)):
                shapes = (
                    (3, channels, num_frames * num_cells),
                    (3, 512, num_frames * num_cells),
                    (3, channels, num_cells),
                )
                tensors = [
                    torch.randn(shape[0], shape[2], shape[1], device=device, dtype=engine.dtype).transpose(1, 2)
                    for shape in shapes
                ]
                setting = {"T": num_frames, "precision": precision, "similarity": similarity}
                with torch.inference_mode():
                    yield from ({**setting, **row} for row in _reads(tensors, similarity, device, scale))


def _reads(tensors: list[torch.Tensor], similarity: Any, device: torch.device, scale: Scale) -> Rows:
    exact = read_memory(*(part[:1].cpu().double() for part in tensors), similarity)
    for method in ("matmul", "sdpa"):
        config = MemoryReadConfig(method=method)
        yield {"by": method, **_timed_read(partial(read_memory, *tensors, similarity, config), exact, device, scale)}
    if similarity == "l2":
        return
    key, value, query = (part.transpose(1, 2)[:, None] for part in tensors)
    heads = value.shape[-1] // key.shape[-1]  # flash refuses values wider than keys
    split = query.expand(-1, heads, -1, -1), key.expand(-1, heads, -1, -1), value[:, 0].unflatten(2, (heads, -1))
    variants = {"": (query, key, value), ", values in heads": (*split[:2], split[2].transpose(1, 2))}
    for backend in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "MATH"):
        for name, parts in variants.items():
            row: dict[str, Any] = {"ms": None}  # the kernel refuses these tensors
            with suppress(RuntimeError), sdpa_kernel([getattr(SDPBackend, backend)]):
                row = _timed_read(partial(_joined_heads, *parts), exact, device, scale)
            yield {"by": f"{backend}{name}", **row}


def _joined_heads(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2).transpose(1, 2)


def _timed_read(read: Any, exact: torch.Tensor, device: torch.device, scale: Scale) -> dict[str, float]:
    before = reset_peak(device)
    error = float((read()[:1].cpu().double() - exact).abs().max())
    peak = peak_mb(device) - before
    return {"ms": 1000 * statistics.median(seconds_of(read, scale.seconds / 2)), "peak MB": peak, "error": error}


def memory(device: torch.device, scale: Scale) -> Rows:
    """Measure the peak of a frame with a large memory, and the growth over a long video."""
    model, num_frames = scale.models[0], scale.memory[-1]
    for precision, engine in engines(device):
        network, before = engine.ready(_network(model)), reset_peak(device)
        frame = EngineFrame(network, engine, Case(3, num_frames, *scale.size))
        frame.frame()
        synchronize(device)
        yield {"model": model, "K": 3, "T": num_frames, "precision": precision, "peak MB": peak_mb(device) - before}
    precision, engine = next(engines(device))
    propagator = Propagator(engine.ready(_network(scale.models[-1])), EveryN(max_frames=num_frames))
    half = tuple(side // 2 for side in scale.size)
    peaks, before = [], reset_peak(device)
    for t in range(scale.video):
        image, labels = synthetic_frame(t, 2, *half)
        propagator.step(image[0].to(device), labels if t == 0 else None)
        if t + 1 in (max(1, scale.video // 10), scale.video):
            synchronize(device)
            peaks.append(peak_mb(device) - before)
    shared = {"model": scale.models[-1], "K": 2, "T": num_frames, "precision": precision}
    for frames, peak in zip((scale.video // 10, scale.video), peaks, strict=True):
        yield {**shared, "frames": frames, "peak MB": peak}


def training(device: torch.device, scale: Scale) -> Rows:
    """Time training steps; a compiled network is compiled before."""
    model = scale.models[0]
    compiled_variant = "bf16" if "bf16" in dict(engines(device)) else "fp32"  # one, since it compiles for minutes
    for variant in ("fp32", "fp32, recompute", "bf16", "bf16, recompute"):
        if variant.startswith("bf16") and "bf16" not in dict(engines(device)):
            continue
        for compiled in (False, True) if scale.compiled and variant == compiled_variant else (False,):
            settings = {"variant": variant, "size": scale.clip, "overrides": [f"model={model}"], "device": device.type}
            step = Step({**settings, "compiled": compiled})
            step.frame()
            before = reset_peak(device)
            seconds = statistics.median(seconds_of(step.frame, 4 * scale.seconds))
            yield {
                "model": model,
                "precision": variant + (", compiled" if compiled else ""),
                "clips/s": 1 / seconds,
                "peak MB": peak_mb(device) - before,
            }


def loader(device: torch.device, scale: Scale) -> Rows:
    """Measure the loader; a training on a GPU needs more clips a second than a step takes."""
    counts = [0] if scale == TINY else sorted({0, 2, 4, max(1, min(16, usable_cores() - 1))})
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        for count in counts:
            data = make_loader([f"augmentation.size={max(64, scale.clip)}"], "paper", count)
            yield {"processes": count, "clips/s": clips_per_second(data)}


def two_processes(device: torch.device, scale: Scale) -> Rows:
    """Train one step with one process and with two that share the device; losses and gradients agree."""
    found = {}
    for count in (1, 2):
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.shared_step", folder, device.type, str(count), str(scale.clip)]
            workers = [subprocess.Popen([*command, str(rank)], cwd=ROOT) for rank in range(count)]
            try:
                statuses = [worker.wait(PROCESSES_SECONDS) for worker in workers]
            finally:
                for worker in workers:
                    worker.kill()
            if any(statuses):
                raise RuntimeError(f"one of {count} processes failed; its output is above")
            found[count] = torch.load(Path(folder) / "result.pt", weights_only=True)
        yield {"processes": count, "loss": float(found[count]["loss"]), "gradient norm": float(found[count]["norm"])}
    if abs(found[1]["norm"] / found[2]["norm"] - 1) > 1e-3:
        raise RuntimeError("the gradients of two processes differ from those of one")
