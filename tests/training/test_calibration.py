"""Calibration: right statistics, nothing else touched."""

import pytest
import torch
import torchvision

from vosmem.errors import InputError
from vosmem.networks import REMN, STM
from vosmem.networks.backbones import load_backbone_weights
from vosmem.ops.masks import one_hot
from vosmem.shapes import Clip
from vosmem.training.calibration import Calibration, calibrate, calibrate_batch_norm, fit_memory_head
from vosmem.training.schedules import WarmUpCosine

WIDTHS = {"backbone": "resnet18", "key_channels": 8, "value_channels": 8, "decoder_channels": 8}


def clips(count, batch=2):
    size, generator = (count, batch, 3, 3, 32, 32), torch.Generator().manual_seed(1)
    batches = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    return [Clip(f, (f[:, :, 0] > 128).to(torch.uint8), torch.ones(batch, dtype=torch.long)) for f in batches]


def new_network():
    torch.manual_seed(3)
    return STM(**WIDTHS, weights="none")


def test_statistics_are_the_means_over_the_batches():
    network = new_network()
    calibrate_batch_norm(network, clips(3))
    stem = network.query_encoder
    outputs = [stem.conv1((clip.frames[:, 1].float() / 255 - stem.mean) / stem.std) for clip in clips(3)]
    means = torch.stack([output.mean(dim=(0, 2, 3)) for output in outputs]).mean(dim=0)
    variances = torch.stack([output.var(dim=(0, 2, 3)) for output in outputs]).mean(dim=0)
    torch.testing.assert_close(stem.bn1.running_mean, means, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(stem.bn1.running_var, variances, rtol=1e-3, atol=1e-5)


def test_nothing_else_changes_and_batch_norm_is_frozen_again():
    network, untouched = new_network(), new_network()
    calibrate_batch_norm(network, clips(2))
    for (name, value), other in zip(network.named_parameters(), untouched.parameters(), strict=True):
        assert torch.equal(value, other), name
    norms = [norm for trunk in network.train().trunks() for norm in trunk.batch_norms()]
    assert all(not norm.training and norm.momentum == 0.1 for norm in norms)


def test_features_become_normal():
    network = new_network()
    calibrate_batch_norm(network, clips(4, batch=4))
    trunk, seen = network.query_encoder, []
    trunk.layer3[0].downsample[1].register_forward_hook(lambda module, args, output: seen.append(output))
    for clip in clips(4, batch=4):
        network.encode_query(clip.frames[:, 1].float() / 255)
    assert torch.cat(seen).mean().abs() < 0.1 and 0.7 < torch.cat(seen).std() < 1.3


def heads_error(network, teacher):
    """Relative error of memory keys against query keys, and of memory values against the teacher's."""
    errors = []
    for clip in clips(4):
        frames, masks = clip.frames[:, 0].float() / 255, one_hot(clip.labels[:, 0], 1)
        memory, values = network.encode_memory(frames, masks), teacher.encode_memory(frames, masks).value
        pairs = (memory.key[:, :, 0], network.encode_query(frames).key), (memory.value, values)
        errors.append([float((own - target).norm() / (target - target.mean()).norm()) for own, target in pairs])
    return torch.tensor(errors).mean(dim=0)


@torch.no_grad()
def test_a_fitted_head_reproduces_query_key_and_teacher_value():
    network = new_network()
    teacher = REMN(**WIDTHS, weights="none", value_weights="none").eval()
    for other in (network, teacher):
        calibrate_batch_norm(other, clips(4))
    before = heads_error(network, teacher)
    fit_memory_head(network, teacher, list(clips(4)))
    after = heads_error(network, teacher)
    assert (after < 0.7).all() and (after < 0.7 * before).all(), (before, after)


def test_a_head_is_fitted_to_values_of_its_own_width():
    teacher = REMN(**{**WIDTHS, "value_channels": 4}, weights="none", value_weights="none")
    with pytest.raises(InputError, match=r"values of 4 channels, the network of 8: set model\.value_channels=4"):
        fit_memory_head(new_network(), teacher, list(clips(1)))
    with pytest.raises(InputError, match=r"calibration\.teacher .*null"):
        fit_memory_head(teacher, teacher, list(clips(1)))


def test_warm_up_then_cosine():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [parameter], "lr": 0.5}])
    schedule = WarmUpCosine(optimizer, num_steps=100, warm_up_share=0.1)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == 0.05 and max(rates) == 0.5 == rates[10]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001


def trained_resnet18(folder):
    """A file of weights whose batch norms have statistics that no calibration on these clips would give."""
    state = torchvision.models.resnet18().state_dict()
    state = {name: value + 3 if "running" in name else value for name, value in state.items()}
    torch.save(state, folder / "resnet18.pth")
    return str(folder / "resnet18.pth")


def statistics_after_calibration(network):
    """The mean of the first batch norm of each trunk."""
    calibrate(network, clips(2), Calibration(2, key_std=None))
    return [trunk.bn1.running_mean for trunk in network.trunks()]


@pytest.mark.parametrize("value_trained", [False, True])
@pytest.mark.parametrize("key_trained", [False, True])
def test_each_trunk_of_remn_is_calibrated_only_if_it_starts_from_random(tmp_path, key_trained, value_trained):
    weights = trained_resnet18(tmp_path)
    trained = {"weights": key_trained, "value_weights": value_trained}
    network = REMN(**WIDTHS, **{name: weights if given else "none" for name, given in trained.items()})
    for mean, of_file in zip(statistics_after_calibration(network), trained.values(), strict=True):
        start = 3.0 if of_file else 0.0
        assert bool((mean == start).all()) == of_file


@pytest.mark.parametrize("init", ["independent", "matched"])
@pytest.mark.parametrize("trained", [(), (0,), (1,), (0, 1)])
def test_each_encoder_of_stm_is_calibrated_only_if_it_starts_from_random(tmp_path, init, trained):
    network = STM(**WIDTHS, weights="none", init=init)
    for index in trained:
        load_backbone_weights(network.trunks()[index], trained_resnet18(tmp_path), "resnet18")
    for index, mean in enumerate(statistics_after_calibration(network)):
        assert bool((mean == 3.0).all()) == (index in trained)
        assert bool(mean.any()), "mean 0 is that of no features"


def test_calibration_does_not_change_trained_trunks(tmp_path):
    network = STM(**WIDTHS, weights=trained_resnet18(tmp_path))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calibrate(network, clips(1), Calibration(1, key_std=None))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
