"""The unroll over a clip and what flows back through it."""

import torch

from vosmem.shapes import Clip
from vosmem.training.calibration import calibrate_batch_norm
from vosmem.training.losses import ClipCrossEntropy
from vosmem.training.unroll import unroll


def clip(num_objects=(2, 1), frames=3, size=32):
    labels = torch.stack([torch.randint(0, k + 1, (frames, size, size), dtype=torch.uint8) for k in num_objects])
    images = torch.randint(0, 256, (len(num_objects), frames, 3, size, size), dtype=torch.uint8)
    return Clip(images, labels, torch.tensor(num_objects))


def test_shapes_and_padded_slots(small_stm):
    logits = unroll(small_stm, clip())
    assert logits.shape == (2, 2, 3, 32, 32)
    assert (logits[1, :, 2] == -torch.inf).all() and logits[0].isfinite().all()


def test_clips_of_a_batch_do_not_see_each_other(small_stm):
    batch = clip()
    alone = unroll(small_stm, Clip(*(part[1:] for part in batch)))
    torch.testing.assert_close(unroll(small_stm, batch)[1:, :, :2], alone, rtol=1e-4, atol=1e-4)


def test_the_gradient_flows_through_the_memorised_estimate(small_stm):
    batch = clip(num_objects=(1,))
    unroll(small_stm.train(), batch)[:, -1, 1].sum().backward()
    through_both = small_stm.decoder.predict.weight.grad.clone()
    small_stm.zero_grad()
    with torch.no_grad():
        estimate = unroll(small_stm, Clip(batch.frames[:, :2], batch.labels[:, :2], batch.num_objects))
    memory = small_stm.encode_memory(batch.frames[:, 0].float() / 255, (batch.labels[:, 0] == 1).float()[:, None])
    second = small_stm.encode_memory(batch.frames[:, 1].float() / 255, estimate[:, 0].softmax(dim=1)[:, 1:])
    memory = type(memory)(*(torch.cat(pair, dim=2) for pair in zip(memory, second, strict=True)))
    small_stm.segment(small_stm.encode_query(batch.frames[:, 2].float() / 255), memory)[:, 1].sum().backward()
    assert not torch.allclose(small_stm.decoder.predict.weight.grad, through_both)


def test_a_batch_with_an_empty_clip_trains(small_stm):
    batch = clip(num_objects=(1, 0))
    loss = ClipCrossEntropy()(unroll(small_stm.train(), batch), batch.labels[:, 1:], step=0)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in small_stm.parameters() if p.grad is not None)


def test_one_clip_can_be_learnt_by_heart(small_stm):
    torch.manual_seed(0)
    batch = Clip(
        torch.randint(0, 256, (1, 3, 3, 32, 32), dtype=torch.uint8),
        torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
        torch.tensor([1]),
    )
    for t in range(3):  # a square that moves
        batch.labels[0, t, 4 + 4 * t : 20 + 4 * t, 8:24] = 1
        batch.frames[0, t, :, 4 + 4 * t : 20 + 4 * t, 8:24] //= 4
    calibrate_batch_norm(small_stm, [batch])
    optimizer = torch.optim.Adam(small_stm.train().parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        ClipCrossEntropy()(unroll(small_stm, batch), batch.labels[:, 1:], step=0).backward()
        optimizer.step()
    predicted = unroll(small_stm, batch).argmax(dim=2)
    truth = batch.labels[:, 1:]
    iou = ((predicted == 1) & (truth == 1)).sum() / ((predicted == 1) | (truth == 1)).sum()
    assert iou > 0.9
