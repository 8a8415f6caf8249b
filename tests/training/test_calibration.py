"""Batch-norm calibration: right statistics, nothing else touched."""

import torch

from vosmem.networks import STM
from vosmem.shapes import Clip
from vosmem.training.calibration import calibrate_batch_norm
from vosmem.training.schedules import WarmUpCosine


def clips(count, batch=2):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        frames = torch.randint(0, 256, (batch, 3, 3, 32, 32), generator=generator, dtype=torch.uint8)
        yield Clip(frames, (frames[:, :, 0] > 128).to(torch.uint8), torch.ones(batch, dtype=torch.long))


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
