"""Calibration: right statistics, a value that knows the mask, nothing else touched."""

import pytest
import torch
import torchvision

from vosmem.errors import InputError
from vosmem.networks import REMN, STM
from vosmem.networks.backbone import load_backbone_weights
from vosmem.ops.masks import one_hot
from vosmem.shapes import Clip
from vosmem.training.calibration import Calibration, calibrate, calibrate_batch_norm, fit_keys
from vosmem.training.schedules import WarmUpCosine


def clips(count, batch=2):
    size, generator = (count, batch, 3, 3, 32, 32), torch.Generator().manual_seed(1)
    batches = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    return [Clip(f, (f[:, :, 0] > 128).to(torch.uint8), torch.ones(batch, dtype=torch.long)) for f in batches]


def new_network():
    torch.manual_seed(3)
    return STM(backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="none")


def test_statistics_are_the_means_over_the_batches():
    network = new_network()
    calibrate_batch_norm(network, clips(3))
    stem = network.query_encoder
    outputs = [stem.conv1((clip.frames[:, 1].float() / 255 - stem.mean) / stem.std) for clip in clips(3)]
    means = torch.stack([output.mean(dim=(0, 2, 3)) for output in outputs]).mean(dim=0)
    variances = torch.stack([output.var(dim=(0, 2, 3)) for output in outputs]).mean(dim=0)
    torch.testing.assert_close(stem.bn1.running_mean, means, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(stem.bn1.running_var, variances, rtol=1e-3, atol=1e-5)


def test_nothing_else_changes_and_batch_norm_holds_again():
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


def test_a_calibrated_mask_lane_says_the_mask():
    """The untrained network memorises a mask, and finds it again in the same frame."""
    torch.manual_seed(0)
    network = STM(
        backbone="resnet18",
        key_channels=32,
        value_channels=16,
        decoder_channels=8,
        weights="none",
        init="mask_lane",
    )
    frames = torch.randint(0, 256, (24, 1, 3, 8, 8), dtype=torch.uint8)
    frames = frames.repeat_interleave(16, dim=3).repeat_interleave(16, dim=4).expand(-1, 2, -1, -1, -1)
    labels = torch.zeros(24, 2, 128, 128, dtype=torch.uint8)
    for clip in labels:
        row, column = torch.randint(0, 4, (2,)) * 16
        clip[:, row : row + 64, column : column + 64] = 1
    clip = Clip(frames, labels, torch.ones(24, dtype=torch.long))
    calibrate(network, [clip], Calibration(1, key_std=6.0, mask_value=True))
    frame, mask = frames[:1, 0].float() / 255, one_hot(labels[:1, 0], 1)
    found = network.segment(network.encode_query(frame), network.encode_memory(frame, mask)).argmax(dim=1)
    both, either = ((found > 0) & (mask[:, 0] > 0)).sum(), ((found > 0) | (mask[:, 0] > 0)).sum()
    assert both / either > 0.7


def two_colours(count):
    """Clips of a red object on a blue ground, each of many shades: what tells them apart is colour alone."""
    generator = torch.Generator().manual_seed(2)
    for _ in range(count):
        labels = torch.zeros(1, 2, 96, 96, dtype=torch.uint8)
        labels[..., :64, :48] = 1
        shade = torch.rand(1, 2, 1, 6, 6, generator=generator).repeat_interleave(16, 3).repeat_interleave(16, 4)
        object_ = labels[:, :, None].bool()
        frames = shade * torch.cat([0.3 + 0.7 * object_, 0.5 * torch.ones_like(shade), 1 - 0.7 * object_], dim=2)
        yield Clip((frames * 255).to(torch.uint8), labels, torch.ones(1, dtype=torch.long))


@torch.no_grad()
def spread_within_objects(network):
    """Variance of the keys within objects, as a share of their variance within pictures."""
    within = total = 0.0
    for clip in two_colours(4):
        keys = network.encode_query(clip.frames[:, 0].float() / 255).key.flatten(2)[0]
        inside = keys.unflatten(1, (6, 6))[:, :4, :3].flatten(1)
        within += float(inside.var(dim=1).sum())
        total += float(keys.var(dim=1).sum())
    return within / total


def test_fitted_keys_tell_objects_apart():
    network = new_network()
    before = spread_within_objects(network)
    fit_keys(network, list(two_colours(4)))
    assert spread_within_objects(network) < 0.5 * before
    query, memory = (head.key.weight.detach() for head in (network.query_head, network.memory_head))
    assert torch.equal(query, memory)
    assert query[:, :, 1, 1].abs().sum(dim=1).min() > 0
    query[:, :, 1, 1] = 0
    assert not query.any(), "filters of one cell"


def test_fitted_keys_leave_alone_what_a_head_did_not_look_at():
    network = new_network()
    unseen = torch.tensor([0, 7, 255])
    for head in (network.query_head, network.memory_head):
        head.key.weight.data[:, unseen] = 0
    fit_keys(network, list(two_colours(4)))
    assert not network.query_head.key.weight[:, unseen].any()


def test_keys_cannot_be_fitted_without_an_object():
    empty = [clip._replace(labels=torch.zeros_like(clip.labels)) for clip in two_colours(1)]
    with pytest.raises(InputError, match=r"calibration\.batches"):
        fit_keys(new_network(), empty)


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


WIDTHS = {"backbone": "resnet18", "key_channels": 8, "value_channels": 8, "decoder_channels": 8}


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


def test_calibration_leaves_a_network_of_trained_trunks_alone(tmp_path):
    network = STM(**WIDTHS, weights=trained_resnet18(tmp_path))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calibrate(network, clips(1), Calibration(1, key_std=None))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
