"""REMN's base: one key for query and memory, shared by the objects, and matching by distance."""

import torch

from vosmem.networks.fusion import ChannelAndSpatialAttention
from vosmem.shapes import Memory


def test_query_and_memory_share_their_keys(small_remn):
    frames = torch.rand(2, 3, 32, 48)
    memory, query = small_remn.encode_memory(frames, torch.rand(2, 3, 32, 48)), small_remn.encode_query(frames)
    rows = memory.key[:, :, 0].unflatten(0, (2, 3))
    torch.testing.assert_close(rows, query.key[:, None].expand_as(rows))


def test_an_encoded_frame_is_not_encoded_again(small_remn):
    frames, masks = torch.rand(1, 3, 32, 32), torch.rand(1, 2, 32, 32)
    query, expected = small_remn.encode_query(frames), small_remn.encode_memory(frames, masks)
    runs = []
    small_remn.key_encoder.register_forward_hook(lambda *args: runs.append(1))
    torch.testing.assert_close(small_remn.encode_memory(frames, masks, query=query), expected)
    assert runs == []


def test_a_frame_reads_its_own_values(small_remn):
    """With keys far apart every cell reads its own value, at any index of the frame in memory."""
    frames = torch.rand(1, 3, 32, 48)
    query = small_remn.encode_query(frames)
    query = query._replace(key=100 * (query.key - query.key.mean()))
    values = torch.rand(1, 5, 1, 2, 3)
    key = torch.cat([torch.randn_like(query.key), query.key]).unsqueeze(0).transpose(1, 2)
    read = small_remn.read(query, Memory(key, torch.cat([torch.rand_like(values), values], dim=2)))
    torch.testing.assert_close(read, values[:, :, 0])


def test_attention_weights_are_below_one():
    x = torch.randn(2, 16, 3, 4)
    out = ChannelAndSpatialAttention(16)(x)
    ratio = out / x
    assert out.shape == x.shape and (ratio > 0).all() and (ratio < 1).all()
