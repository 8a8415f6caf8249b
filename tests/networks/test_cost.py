"""The work of a frame, against figures counted layer by layer elsewhere."""

import pytest

from vosmem.networks import REMN, STM
from vosmem.networks.cost import frame_cost

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}


@pytest.fixture(scope="module")
def published():
    return STM(backbone="resnet50", key_channels=128, value_channels=512, decoder_channels=256, weights="none").eval()


@pytest.mark.parametrize(("num_objects", "num_frames", "total"), [(1, 5, 375), (1, 15, 409), (3, 5, 722)])
def test_the_published_network_at_480p(published, num_objects, num_frames, total):
    cost = frame_cost(published, 480, 854, num_objects, num_frames)
    assert cost.total == pytest.approx(total, abs=1)
    assert cost.encode == pytest.approx(54.2 + 19.1, abs=0.1)
    assert cost.read == pytest.approx(3.36 * num_objects * num_frames, rel=0.001)


def test_objects_with_shared_keys_are_matched_once():
    network = REMN(backbone="resnet10", **WIDTHS, value_weights="none").eval()
    one, three = (frame_cost(network, 64, 64, num_objects, 2).read for num_objects in (1, 3))
    products = 2 * 16 * 32 * 8 / 1e9  # 16 query cells, 32 memory cells, 8 channels of keys or of values
    assert one == pytest.approx(2 * products)
    assert three == pytest.approx((1 + 3) * products)


def test_convolutions_grow_with_the_cells_and_the_read_with_their_square():
    network = STM(backbone="resnet10", **WIDTHS).eval()
    small, large = (frame_cost(network, 64, width, 1, 1) for width in (64, 120))  # padded to 128
    assert large.read == pytest.approx(4 * small.read)
    assert large.decode == pytest.approx(2 * small.decode)
