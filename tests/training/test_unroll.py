"""The unroll over a clip and what flows back through it."""

import pytest
import torch

from vosmem.networks import STM
from vosmem.shapes import Clip
from vosmem.training.calibration import Calibration, calibrate
from vosmem.training.losses import BootstrappedCrossEntropy, ClipCrossEntropy, WithOverlap, matching_loss
from vosmem.training.perturbation import PriorPerturbation
from vosmem.training.unroll import unroll


def clip(num_objects=(2, 1), frames=3, size=32):
    labels = torch.stack([torch.randint(0, k + 1, (frames, size, size), dtype=torch.uint8) for k in num_objects])
    images = torch.randint(0, 256, (len(num_objects), frames, 3, size, size), dtype=torch.uint8)
    return Clip(images, labels, torch.tensor(num_objects))


def test_shapes_and_padded_slots(small_network):
    logits = unroll(small_network, clip()).logits
    assert logits.shape == (2, 2, 3, 32, 32)
    assert (logits[1, :, 2] == -torch.inf).all() and logits[0].isfinite().all()


def test_clips_of_a_batch_are_independent(small_network):
    batch = clip()
    alone = unroll(small_network, Clip(*(part[1:] for part in batch))).logits
    torch.testing.assert_close(unroll(small_network, batch).logits[1:, :, :2], alone, rtol=1e-4, atol=1e-4)


def test_the_gradient_flows_through_the_memorised_estimate(small_network):
    batch = clip(num_objects=(1,))
    unroll(small_network.train(), batch).logits[:, -1, 1].sum().backward()
    through_both = small_network.decoder.predict.weight.grad.clone()
    small_network.zero_grad()
    with torch.no_grad():
        estimate = unroll(small_network, Clip(batch.frames[:, :2], batch.labels[:, :2], batch.num_objects)).logits
    memory = small_network.encode_memory(batch.frames[:, 0].float() / 255, (batch.labels[:, 0] == 1).float()[:, None])
    second = small_network.encode_memory(batch.frames[:, 1].float() / 255, estimate[:, 0].softmax(dim=1)[:, 1:])
    memory = type(memory)(*(torch.cat(pair, dim=2) for pair in zip(memory, second, strict=True)))
    small_network.segment(small_network.encode_query(batch.frames[:, 2].float() / 255), memory)[:, 1].sum().backward()
    assert not torch.allclose(small_network.decoder.predict.weight.grad, through_both)


def test_a_detached_estimate_is_the_same_without_its_gradient(small_network):
    """Detached, the second frame's loss does not reach the first frame's answer: the decoder's gradient is another."""
    batch = clip(num_objects=(1,))
    flowing = unroll(small_network.train(), batch).logits
    flowing[:, -1, 1].sum().backward()
    with_flow = small_network.decoder.predict.weight.grad.clone()
    small_network.zero_grad()
    detached = unroll(small_network, batch, detach_masks=True).logits
    detached[:, -1, 1].sum().backward()
    torch.testing.assert_close(flowing, detached)
    assert not torch.allclose(small_network.decoder.predict.weight.grad, with_flow)


def test_recomputing_gives_equal_gradients_in_less_memory(small_network):
    batch, gradients, kept = clip(size=64), [], []

    def keep(tensor):
        kept[-1] += tensor.nbytes
        return tensor

    for recompute in (False, True):
        small_network.train().zero_grad()
        kept.append(0)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = unroll(small_network, batch, recompute=recompute).logits
        torch.where(logits.isfinite(), logits, 0).pow(2).mean().backward()
        gradients.append([p.grad.clone() for p in small_network.parameters() if p.grad is not None])
    torch.testing.assert_close(gradients[1], gradients[0])
    assert kept[1] < kept[0] / 4


@pytest.mark.parametrize(
    "loss",
    [
        ClipCrossEntropy(),
        BootstrappedCrossEntropy(share=0.3, start=0, end=10),
        WithOverlap(ClipCrossEntropy(), weight=1.0),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_accumulated_halves_make_the_loss_of_the_whole_batch(small_network, loss):
    """A step of 4 clips is 2 x 2 with accumulation; the halves need not have as many slots."""
    batch = clip(num_objects=(2, 2, 1, 1))

    def losses(part):
        unrolled = unroll(small_network, part)
        matching = matching_loss(unrolled.carried, unrolled.expected, len(part.frames))
        return torch.stack([loss(unrolled.logits, part.labels[:, 1:], 5), matching])

    halves = [losses(Clip(*(part[rows] for part in batch))) for rows in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(losses(batch), (halves[0] + halves[1]) / 2, rtol=1e-4, atol=1e-5)


def test_a_batch_with_an_empty_clip_trains(small_network):
    batch = clip(num_objects=(1, 0))
    loss = ClipCrossEntropy()(unroll(small_network.train(), batch).logits, batch.labels[:, 1:], step=0)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in small_network.parameters() if p.grad is not None)


def moving_square() -> Clip:
    """One clip of a dark square that moves over noise."""
    frames = torch.randint(0, 256, (1, 3, 3, 64, 64), dtype=torch.uint8)
    labels = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    for t in range(3):
        rows, columns = slice(8 + 6 * t, 40 + 6 * t), slice(16, 48)
        labels[0, t, rows, columns] = 1
        frames[0, t, :, rows, columns] //= 4
    return Clip(frames, labels, torch.tensor([1]))


def test_a_network_can_overfit_one_clip():
    network = STM(
        backbone="resnet18", key_channels=16, value_channels=32, decoder_channels=16, weights="none", init="matched"
    ).train()
    batch = moving_square()
    calibrate(network, [batch], Calibration(batches=1, key_std=2.0))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(100):
        optimizer.zero_grad()
        ClipCrossEntropy()(unroll(network, batch).logits, batch.labels[:, 1:], step=0).backward()
        optimizer.step()
    predicted, truth = unroll(network, batch).logits.argmax(dim=2), batch.labels[:, 1:]
    iou = ((predicted == 1) & (truth == 1)).sum() / ((predicted == 1) | (truth == 1)).sum()
    assert iou > 0.9


def test_carried_masks_are_the_prediction_of_matching_only(small_network):
    batch = clip(num_objects=(2, 1))
    _, carried, expected = unroll(small_network, batch)
    assert carried.shape == expected.shape == (3, 2, 2, 2)
    assert carried.min() >= 0 and carried.max() <= 1
    first = torch.nn.functional.avg_pool2d((batch.labels[1] == 1).float(), 16)
    torch.testing.assert_close(expected[2], first[1:])
    still = Clip(batch.frames, torch.ones_like(batch.labels), torch.tensor([1, 1]))
    torch.testing.assert_close(unroll(small_network, still).carried, torch.ones(2, 2, 2, 2))


def test_perturbed_masks_keep_the_displacement_of_objects(small_network, monkeypatch):
    """Local attention widens its search by the displacement between two frames: a shift of both leaves it."""
    priors = []

    def encode_query(frames, prior=None):
        if prior is not None:  # REMN also asks to memorise the first frame, about which nothing is known
            priors.append(prior)
        return type(small_network).encode_query(small_network, frames, prior)

    monkeypatch.setattr(small_network, "encode_query", encode_query)
    monkeypatch.setattr(PriorPerturbation, "__call__", lambda self, masks, clip, t: masks.roll(16, dims=3))
    unroll(small_network, moving_square(), perturb=PriorPerturbation())
    assert priors[0].earlier is None
    torch.testing.assert_close(priors[1].earlier, priors[0].masks)


def test_matching_of_a_rough_first_mask_is_judged_by_the_true_mask(small_remn):
    """`RoughFirstMask` repeats frame 0, with a rough mask first and the true mask second; REMN's keys ignore masks."""
    frames = torch.randint(0, 256, (1, 3, 3, 32, 48), dtype=torch.uint8)
    frames[:, 1] = frames[:, 0]
    labels = torch.zeros(1, 3, 32, 48, dtype=torch.uint8)
    labels[:, :, :16, :16] = 1
    rough = labels.clone()
    rough[:, 0, :, :32] = 1
    true, seen = (unroll(small_remn, Clip(frames, own, torch.tensor([1]))) for own in (labels, rough))
    torch.testing.assert_close(seen.carried[:, 0], true.carried[:, 0])
    assert not torch.equal(seen.logits[:, 0], true.logits[:, 0])  # the network sees the rough mask
