"""`vosmem app`: a network, and the page over it."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from vosmem.app.serve import free_port, private_folder, serving
from vosmem.app.session_store import SessionStore
from vosmem.app.uploads import Limits
from vosmem.checkpoints.loading import find_weights
from vosmem.checkpoints.reading import file_hash
from vosmem.commands.segmentation import make_segmenter
from vosmem.errors import InputError
from vosmem.inference.prompts.first_mask import SAM
from vosmem.inference.prompts.promptable import promptable_model

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@contextmanager
def app(options: Namespace) -> Iterator[str]:
    """Everything `vosmem app` does; serves while the context lasts, and gives the address.

    Raises:
        InputError: Gradio is not installed, a limit is below 1, the weights cannot be loaded, or the address is taken.
    """
    if find_spec("gradio") is None:
        raise InputError("the page needs Gradio, which is not installed: pip install 'vosmem[app]'")
    if min(options.max_upload, options.max_frames) < 1:
        raise InputError("--max-upload and --max-frames have to be 1 or more")
    port = free_port(options.host, options.port)
    weights = find_weights(options.weights, options.model)
    segmenter = make_segmenter(weights, options.device, options.precision)
    if options.cut.startswith(SAM):
        promptable_model(options.cut.removeprefix(SAM), segmenter.engine.device)  # so that errors come at once
    segmenter.propagator(short_side=options.size)  # says so at once if it cannot be made
    limits = Limits(options.max_upload, options.max_frames)
    about = {
        "weights": weights.name,
        "network": {"class": type(segmenter.network).__name__, "sha256": file_hash(weights)},
        "inference": {
            "short_side": options.size,
            "precision": options.precision,
            "device": str(segmenter.engine.device),
        },
    }
    with private_folder(options.folder) as folder:
        store = SessionStore(folder, segmenter, limits, options.size, about, options.cut)
        with serving(store, options.host, port) as url:
            yield url


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address.

    Example:
        >>> is_local("127.0.0.1"), is_local("0.0.0.0")
        (True, False)
    """
    return host in LOOPBACK
