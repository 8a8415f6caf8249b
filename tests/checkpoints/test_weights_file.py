"""Weights files keep their content, and files that were tampered with are refused in one line."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.checkpoints.made import MODELS, Malice, made_network, tamper, write_tiny
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.weights_file import METADATA_KEY, Weights, is_weights_file, read_about, write_weights
from vosmem.errors import InputError


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 0.0), ("fp16", 2**-11)])
def test_weights_survive_writing_and_reading(tmp_path, name, dtype, tolerance):
    path = write_tiny(tmp_path / "new" / "tiny.safetensors", name, dtype)
    own, found = made_network(name), load_network(path)
    assert type(found) is type(own) and not found.training
    for key, value in found.state_dict().items():
        assert value.dtype == own.state_dict()[key].dtype
        torch.testing.assert_close(value, own.state_dict()[key], rtol=tolerance, atol=tolerance * 2**-13)
    assert [entry.name for entry in path.parent.iterdir()] == ["tiny.safetensors"]


def test_weights_file_holds_only_weights_and_metadata(tmp_path):
    path = write_tiny(tmp_path / "a.safetensors")
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {torch.float16}
        message = json.loads(file.metadata()[METADATA_KEY])
    assert names == {name for name in made_network().state_dict() if not name.endswith("num_batches_tracked")}
    assert message["model"] == MODELS["stm"] and message["format"] == 1 and message["licence"] is None
    assert write_tiny(tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
    assert is_weights_file(path)


@pytest.mark.parametrize("change", ["name", "dtype", "shape", "bytes"])
def test_hash_detects_every_change(tmp_path, change):
    path = write_tiny(tmp_path / "tiny.safetensors")
    with safe_open(path, framework="pt") as file:
        bias = file.get_tensor("decoder.predict.bias")
    changed = {
        "name": {"decoder.predict.bias": None, "decoder.predict.bia": bias},
        "dtype": {"decoder.predict.bias": bias.view(torch.bfloat16)},
        "shape": {"decoder.predict.bias": bias[None]},
        "bytes": {"decoder.predict.bias": bias + 1},
    }
    tamper(path, tensors=changed[change])
    with pytest.raises(InputError, match="was changed"):
        load_network(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def long_header(path: Path) -> None:
    path.write_bytes((2**60).to_bytes(8, "little") + path.read_bytes()[8:])


def flipped_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def of_another_program(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path)


def without_model(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, {METADATA_KEY: "[]"})


def model(**changes):
    return lambda path: tamper(path, message={"model": {**MODELS["stm"], **changes}})


@pytest.mark.parametrize(
    ("harm", "match"),
    [
        (cut, "cut short"),
        (cut_in_the_header, "cut short"),
        (long_header, "cut short"),
        (lambda path: path.write_bytes(b"\0\0\0\0\0\0\0\0{"), "cut short"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (flipped_bit, "was changed"),
        (lambda path: tamper(path, message={"sha256": "0" * 64}), "was changed"),
        (of_another_program, "another program"),
        (without_model, "has incomplete metadata"),
        (lambda path: tamper(path, message={"format": 2, "vosmem": "9\n"}), "format 2, this version reads 1"),
        (model(decoder_channels=9), "does not fit the network"),
        (model(_target_="vosmem.networks.REMN", backbone="resnet18", value_weights="none"), "does not fit the network"),
        (model(backbone="resnet50"), "does not fit the network"),
        (model(key_channels=10**9), "does not fit the network"),
        (model(key_channels=-1), "makes no"),
        (model(key_channels="many"), "makes no"),
        (model(backbone="vgg"), "unknown backbone 'vgg'"),
        (model(hook=1), "makes no vosmem.networks.STM"),
        (lambda path: tamper(path, message={"model": {}}), "asks for None"),
        (lambda path: tamper(path, message={"model": [1]}), "asks for None"),
    ],
)
def test_damaged_file_is_refused_in_one_line(tmp_path, harm, match):
    path = write_tiny(tmp_path / "tiny.safetensors")
    harm(path)
    with pytest.raises(InputError, match=match) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.exec",
        "vosmem.networks.stm.STM",
        "vosmem.networks.fold_batch_norms",
        ["vosmem.networks.STM"],
    ],
)
def test_only_networks_are_built(tmp_path, target):
    trap = tmp_path / "executed"
    forged = {"_target_": target, "command": f"touch '{trap}'", "_args_": [f"touch '{trap}'"]}
    path = tamper(write_tiny(tmp_path / "tiny.safetensors"), message={"model": forged})
    checkpoint = tmp_path / "forged.ckpt"
    torch.save({"config": {"model": forged}, "state_dict": {}}, checkpoint)
    for file in (path, checkpoint):
        with pytest.raises(InputError, match="which is no network"):
            load_network(file)
    nested = {**MODELS["stm"], "local_attention": forged}
    torch.save({"config": {"model": nested}, "state_dict": {}}, checkpoint)
    for file in (tamper(path, message={"model": nested}), checkpoint):
        with pytest.raises(InputError, match=r"as its local_attention: it may ask for vosmem"):
            load_network(file)
    assert not trap.exists()


def test_files_named_by_the_configuration_are_not_read(tmp_path):
    secret = tmp_path / "secret.pth"  # missing: reading it would be an error
    path = tamper(write_tiny(tmp_path / "a.safetensors"), message={"model": {**MODELS["stm"], "weights": str(secret)}})
    load_network(path)


@pytest.mark.parametrize(
    "write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2))]
)
@pytest.mark.parametrize("name", ["evil.safetensors", "evil.pth"])  # torch itself reads a file by the end of its name
def test_pickle_is_never_run(tmp_path, write, name):
    trap = tmp_path / "executed"
    write({"state_dict": Malice(trap)}, tmp_path / name)
    with pytest.raises(InputError, match="evil"):
        load_network(tmp_path / name)
    assert not trap.exists()


def test_failed_write_is_reported_and_leaves_no_file(tmp_path):
    network = made_network()
    whole = Weights(MODELS["stm"], network.state_dict())
    large = {**network.state_dict(), "decoder.predict.bias": torch.tensor([0.0, 1e5])}
    fewer = {name: value for name, value in network.state_dict().items() if name != "decoder.predict.bias"}
    (tmp_path / "file").write_text("no folder")
    for weights, path, dtype, match in [
        (whole, "a.pth", "fp16", "end the name with .safetensors"),
        (whole, "a.safetensors", "bf16", "use fp16 or fp32"),
        (whole._replace(state=large), "a.safetensors", "fp16", "'decoder.predict.bias' holds numbers beyond fp16"),
        (whole._replace(state=fewer), "a.safetensors", "fp16", "'decoder.predict.bias' is missing"),
        (whole, "file/a.safetensors", "fp16", "cannot be written"),
    ]:
        with pytest.raises(InputError, match=match):
            write_weights(tmp_path / path, weights, dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    write_weights(tmp_path / "large.safetensors", whole._replace(state=large), "fp32")


def test_metadata_cannot_control_the_terminal(tmp_path, capsys):
    path = tamper(write_tiny(tmp_path / "tiny.safetensors"), message={"licence": "free\x1b[2J\nreally"})
    load_network(path)
    assert capsys.readouterr().err == "vosmem: free [2J really\n" and read_about(path).licence == "free [2J really"


@pytest.mark.parametrize("init", ["mask_lane", "matched"])
def test_unknown_initialisation_is_ignored(tmp_path, init):
    """Checkpoints of earlier versions may name an initialisation that this version no longer has."""
    path = write_tiny(tmp_path / "w.safetensors")
    tamper(path, message={"model": {**MODELS["stm"], "init": init}})
    assert type(load_network(path)).__name__ == "STM"
