"""Properties of every network: shapes, symmetries, gradients."""

import torch

from vosmem.networks.decoder import Decoder
from vosmem.shapes import Memory


def segment(network, masks, frames=None, valid=None):
    """Memorise frame 0 with the masks, segment frame 1; frames are (2, B, 3, H, W)."""
    frames = torch.rand(2, masks.shape[0], 3, *masks.shape[-2:]) if frames is None else frames
    memory = network.encode_memory(frames[0], masks, valid)
    valid = torch.ones(masks.shape[:2], dtype=torch.bool) if valid is None else valid
    return network.segment(network.encode_query(frames[1]), memory, valid)


def test_shapes_and_probabilities(small_network):
    logits = segment(small_network, torch.rand(2, 3, 32, 48))
    assert logits.shape == (2, 4, 32, 48)
    torch.testing.assert_close(logits.softmax(dim=1).sum(dim=1), torch.ones(2, 32, 48))


def test_objects_permute(small_network):
    masks, frames = torch.rand(1, 3, 32, 32), torch.rand(2, 1, 3, 32, 32)
    order = [2, 0, 1]
    moved = segment(small_network, masks[:, order], frames)
    torch.testing.assert_close(moved, segment(small_network, masks, frames)[:, [0, 3, 1, 2]], rtol=1e-4, atol=1e-4)


def test_padded_slots_change_nothing(small_network):
    masks, frames = torch.rand(2, 2, 32, 32), torch.rand(2, 2, 3, 32, 32)
    valid = torch.tensor([[True, True], [True, False]])
    masks[1, 1] = 0
    together = segment(small_network, masks, frames, valid)
    single = segment(small_network, masks[1:, :1], frames[:, 1:])
    torch.testing.assert_close(together[1:, :2], single, rtol=1e-4, atol=1e-4)
    assert (together[1, 2] == -torch.inf).all()


def test_a_batch_without_any_object_is_all_background(small_network):
    valid = torch.zeros(1, 1, dtype=torch.bool)
    probs = segment(small_network, torch.zeros(1, 1, 32, 32), valid=valid).softmax(dim=1)
    assert (probs[:, 0] == 1).all()


def test_gradient_reaches_every_parameter(small_network):
    loss = segment(small_network.train(), torch.rand(1, 2, 32, 32))[:, 1].mean()
    loss.backward()
    silent = [name for name, p in small_network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert silent == []


def test_one_frame_twice_in_memory_changes_nothing(small_network):
    frames, masks = torch.rand(1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    once = small_network.encode_memory(frames, masks)
    twice = Memory(*(torch.cat([part, part], dim=2) for part in once))
    query = small_network.encode_query(frames)
    torch.testing.assert_close(
        small_network.segment(query, twice), small_network.segment(query, once), rtol=1e-4, atol=1e-4
    )


def test_the_decoder_predicts_the_softmax_of_its_two_channels():
    decoder = Decoder(value_channels=4, f8_channels=4, f4_channels=4, channels=4).double().eval()
    seen = []
    decoder.predict.register_forward_hook(lambda module, args, output: seen.append(output))
    owners = torch.zeros(1, dtype=torch.long)
    features = [torch.randn(1, 4, size, size, dtype=torch.float64) for size in (2, 2, 4, 8)]
    probs = decoder(*features, owners)
    upsampled = torch.nn.functional.interpolate(seen[0], scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(probs, upsampled.softmax(dim=1)[:, 1])
