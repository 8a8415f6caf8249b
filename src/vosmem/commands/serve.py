"""`vosmem serve`: a network, and the service over it."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from vosmem.commands.segmentation import load_segmenter
from vosmem.memory.budget import bounded
from vosmem.memory.policy import EveryN
from vosmem.service.server import serving
from vosmem.service.sessions import ClientSessions, ServiceLimits


@contextmanager
def serve(options: Namespace, token: str) -> Iterator[str]:
    """Everything `vosmem serve` does; serves clients that send the token while the context lasts; gives the address.

    Raises:
        InputError: the weights cannot be loaded, a limit is not positive, or the address cannot be used.
    """
    limits = ServiceLimits(options.max_request, options.max_pixels, options.max_sessions, options.idle_seconds)
    segmenter = load_segmenter(options.weights, options.model, options.device, options.precision)
    policy = bounded(EveryN(), segmenter.engine.device, sharing=limits.sessions)
    make_stream = partial(segmenter.stream, policy, short_side=options.size)
    make_stream()  # says so at once if it cannot be made
    with serving(ClientSessions(make_stream, limits), options.host, options.port, token) as url:
        yield url
