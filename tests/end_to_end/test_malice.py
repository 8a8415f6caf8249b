"""No file of a user runs code: all readers of weights, and all lines of code that could unpickle."""

import ast
import pickle

import pytest
import torch

from tests.checkpoints.made import Malice
from tests.conftest import ROOT
from tests.end_to_end.faults import arguments, train
from tests.segmentation.made import write_frames

EVALUATE = ("eval_set=davis17", "eval_set.root=davis", "device=cpu", "checkpoint=evil.ckpt", "hydra.run.dir=out")
GIVEN = ("--mask", "mask.png", "--device", "cpu", "--output", "out")
PLACES = {
    "resume": ("train", "resume=run"),
    "replay": ("train", "resume=run", "replay=true"),
    "initial weights": (*arguments("out"), "initial_weights=evil.ckpt"),
    "trunk": (*arguments("out"), "model.weights=evil.ckpt"),
    "evaluate": ("evaluate", *EVALUATE),
    "calibrate": ("calibrate", *EVALUATE),
    "segment": ("segment", "frames", *GIVEN, "--weights", "evil.ckpt"),
    "convert": ("convert", "evil.ckpt", "out.safetensors"),
    "export": ("export", "evil.ckpt", "out"),
}


def in_zip(content, path):
    torch.save(content, path)


def in_plain_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("write", [in_zip, in_plain_pickle])
@pytest.mark.parametrize("index", PLACES)
def test_a_file_that_holds_code_is_refused(tmp_path, davis, monkeypatch, capfd, index, write):
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for path in (tmp_path / "evil.ckpt", checkpoints / "last.ckpt"):
        write({"state_dict": Malice(tmp_path / "executed")}, path)
    (tmp_path / "run" / ".hydra").mkdir()
    (tmp_path / "run" / ".hydra" / "overrides.yaml").write_text(repr(arguments("run")[1:]))
    write_frames(tmp_path / "frames", tmp_path / "mask.png", 2)
    status = train(*PLACES[index], cwd=tmp_path, monkeypatch=monkeypatch)
    reported = capfd.readouterr()
    assert not (tmp_path / "executed").exists()
    assert status in (1, 2) and ("evil.ckpt" in reported.err + reported.out or "last.ckpt" in reported.err)


UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def reads_unsafely(node: ast.AST) -> bool:
    """Whether a piece of code imports what unpickles, or calls what may."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in UNSAFE for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in UNSAFE
    if not isinstance(node, ast.Call):
        return False
    called, message = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
    torch_reads = called in ("torch.load", "torch.hub.load_state_dict_from_url") or called.endswith(".get_state_dict")
    lightning_reads = called in ("trainer.fit", "trainer.validate")
    return (
        ((torch_reads or lightning_reads) and message.get("weights_only") != "True")
        or message.get("allow_pickle") == "True"
        or called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval", "exec", "pd.read_pickle")
    )


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from joblib import load", "torch.load(p)", "torch.load(p, weights_only=False)", "yaml.load(f)"],
)
def test_the_search_finds(line):
    assert any(reads_unsafely(node) for node in ast.walk(ast.parse(line)))


def test_no_line_unpickles():
    files = [
        path for folder in ("src", "benchmarks", "examples", "notebooks") for path in (ROOT / folder).rglob("*.py")
    ]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*files, ROOT / "hubconf.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if reads_unsafely(node)
    ]
    assert len(files) > 100 and found == []
