"""What the commands that serve until they are ended have in common."""

import argparse
import signal
from threading import Event


def end_on_sigterm() -> Event:
    """Return an event that SIGTERM sets; call it before the server starts."""
    ended = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    return ended


def wait_for_end(ended: Event, message: str) -> None:
    """Wait until the event is set or the user presses Ctrl-C; print the message after Ctrl-C."""
    try:
        while not ended.wait(1):
            pass
    except KeyboardInterrupt:
        print(message)


def add_network_options(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Add the options that choose the network and how it runs."""
    group = parser.add_argument_group("network")
    group.add_argument("--weights", metavar="FILE", help="as for vosmem segment (default: those of the package)")
    group.add_argument("--model", metavar="NAME", help="weights that come with the package")
    group.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="(default: auto)")
    group.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"), help="(default: fp32)")
    return group
