"""What the commands that serve until they are ended have in common."""

import argparse
import signal
from threading import Event

from vosmem.cli.arguments import add_network_options


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


def add_serving_options(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Add the options that choose the network and the address; return the group of the server's options."""
    network, server = parser.add_argument_group("network"), parser.add_argument_group("server")
    add_network_options(network)
    size = "largest short side of the frames for the network (default: 480)"
    network.add_argument("--size", type=int, default=480, metavar="N", help=size)
    address = "address to listen on (default: 127.0.0.1, only this machine)"
    server.add_argument("--host", default="127.0.0.1", help=address)
    return server
