"""Every name of weights loads the same network."""

import shutil
from pathlib import Path

import pytest
import torch

import vosmem
from tests.checkpoints.made import MODELS, made_network, tamper, write_run, write_tiny
from tests.reference_checkpoint import reference_state_dict
from vosmem.checkpoints.loading import convert, find_weights, load_network
from vosmem.checkpoints.weights_file import read_about
from vosmem.cli import weights as weights_command
from vosmem.errors import InputError

CARD = Path(vosmem.__file__).parent / "weights" / "remn_small.md"


def same(one: torch.nn.Module, other: torch.nn.Module, tolerance: float = 0.0) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a, b, rtol=tolerance, atol=1e-6 if tolerance else 0.0) for a, b in pairs)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("with_config", [True, False], ids=["in the checkpoint", "in the run's folder"])
def test_checkpoint_of_a_run_is_converted(tmp_path, name, with_config):
    source = write_run(tmp_path / "run", name, with_config)
    assert same(load_network(source), made_network(name))
    for dtype, tolerance in (("fp32", 0.0), ("fp16", 1e-3)):
        path = convert(source, tmp_path / f"{dtype}.safetensors", dtype)
        assert same(load_network(path), made_network(name), tolerance)
        assert read_about(path).model == MODELS[name]  # nothing to be fetched
    again = convert(tmp_path / "fp32.safetensors", tmp_path / "again.safetensors", "fp16")
    assert again.read_bytes() == (tmp_path / "fp16.safetensors").read_bytes()


def test_source_is_never_overwritten(tmp_path):
    path = write_tiny(tmp_path / "a.safetensors", dtype="fp32")
    content = path.read_bytes()
    (tmp_path / "link.safetensors").symlink_to(path)
    for output in (path, tmp_path / "link.safetensors"):
        with pytest.raises(InputError, match="is the source itself"):
            convert(path, output)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"state_dict": {"network.a": torch.zeros(1)}}, "does not say its model"),
        ({"config": {}, "state_dict": {"network.a": torch.zeros(1)}}, "does not say its model"),
        ({"config": {"model": MODELS["stm"]}, "state_dict": [1]}, "holds no weights by name"),
        ({"config": {"model": MODELS["stm"]}, "state_dict": {"network.a": 1}}, "holds no weights by name"),
        ({"config": {"model": MODELS["stm"]}, "state_dict": {}}, "does not fit"),
        ({"epoch": 1}, "holds no weights by name"),
        ({1: torch.zeros(1)}, "not a checkpoint"),
    ],
)
def test_checkpoint_without_a_network_is_refused(tmp_path, content, match):
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(InputError, match=match):
        load_network(tmp_path / "odd.ckpt")


def test_converted_weights_keep_their_licence(tmp_path, capsys):
    torch.save(reference_state_dict(0), tmp_path / "STM_weights.pth")
    path = convert(tmp_path / "STM_weights.pth", tmp_path / "published.safetensors")
    assert capsys.readouterr().err.count("CC BY-NC-SA") == 1
    for source in (tmp_path / "STM_weights.pth", path):
        network = load_network(source)
        reported = capsys.readouterr().err
        assert "CC BY-NC-SA" in reported and reported.count("\n") == 1
    assert read_about(path).licence is not None
    assert same(network, load_network(tmp_path / "STM_weights.pth"), 1e-3)
    write_tiny(tmp_path / "own.safetensors")
    capsys.readouterr()
    load_network(tmp_path / "own.safetensors")
    assert capsys.readouterr().err == ""


def test_a_notice_is_added_to_that_of_the_source(tmp_path, capsys):
    write_tiny(tmp_path / "own.safetensors")
    first = convert(tmp_path / "own.safetensors", tmp_path / "first.safetensors", licence="research use")
    second = convert(first, tmp_path / "second.safetensors", licence="name its author")
    assert capsys.readouterr().err == "vosmem: research use\nvosmem: research use; name its author\n"
    load_network(second)
    assert capsys.readouterr().err == "vosmem: research use; name its author\n"


def test_version_without_weights_asks_for_a_file(shelf, capsys):
    for arguments, match in [
        ((None, None), "no weights are given and none come with this version"),
        ((None, "remn_small"), "'remn_small' cannot be used"),
    ]:
        with pytest.raises(InputError, match=match):
            find_weights(*arguments)
    with pytest.raises(InputError, match="'remn_small' not found"):
        vosmem.load("remn_small", device="cpu")
    weights_command.run([])
    assert capsys.readouterr().out.startswith("no weights come with this version\n")


def test_bundled_weights_are_found_by_name(shelf, tmp_path, monkeypatch):
    small, other = (write_tiny(shelf / f"{name}.safetensors") for name in ("remn_small", "other"))
    assert find_weights(None) == find_weights("remn_small") == find_weights(None, "remn_small") == small
    assert find_weights(None, "other") == other
    for arguments, match in [((None, "big"), "use other, remn_small"), ((small, "other"), "give one of them")]:
        with pytest.raises(InputError, match=match):
            find_weights(*arguments)
    for load in (vosmem.load, lambda name, device: vosmem.load(model=name, device=device)):
        assert type(load("other", device="cpu").network).__name__ == "STM"
    monkeypatch.chdir(tmp_path)
    Path("other").write_bytes(small.read_bytes())
    assert find_weights("other") == Path("other")  # what lies in front of the user comes first
    (shelf / "remn_small.safetensors").unlink()
    with pytest.raises(InputError, match="no weights are given"):  # no other is taken unasked
        find_weights(None)


def test_bundled_weights_are_listed_and_verified(shelf, capsys):
    write_tiny(shelf / "remn_small.safetensors", "remn")
    shutil.copy(CARD, shelf)
    write_tiny(shelf / "broken.safetensors")
    tamper(shelf / "broken.safetensors", message={"sha256": "0"})
    with pytest.raises(SystemExit) as caught:
        weights_command.run([])
    out, err = capsys.readouterr()
    assert caught.value.code == 1 and "broken.safetensors" in err and err.count("\n") == 1
    assert "remn_small  REMN, " in out and "the default" in out
    assert read_about(shelf / "remn_small.safetensors").sha256 in out
