"""`vosmem app`."""

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

from vosmem.cli.arguments import Parser

EXAMPLES = """examples:
  vosmem app
  vosmem app --weights last.ckpt --port 8000 --folder /data/visits"""


def run(arguments: list[str]) -> None:
    """Serve the page until the process is interrupted or terminated."""
    options = _parser().parse_args(arguments)

    from vosmem.commands.app import app, is_local

    ended = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    with app(options) as url:
        print(f"vosmem: the page is at {url} (Ctrl-C ends it)", flush=True)
        if not is_local(options.host):
            print("vosmem: everyone who can reach this machine can use the page, without a password", file=sys.stderr)
        try:
            while not ended.wait(1):
                pass
        except KeyboardInterrupt:
            print("vosmem: ended; all files of its visitors are deleted")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="vosmem app",
        description="Serve a page: mark objects in a video, propagate them, correct and download the masks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    network = parser.add_argument_group("network")
    network.add_argument("--weights", metavar="FILE", help="as for vosmem segment (default: those of the package)")
    network.add_argument("--model", metavar="NAME", help="weights that come with the package")
    network.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="(default: auto)")
    network.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"), help="(default: fp32)")
    network.add_argument(
        "--size",
        type=int,
        default=480,
        metavar="N",
        help="largest short side of the frames for the network (default: 480)",
    )
    server = parser.add_argument_group("server")
    server.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, only this machine)"
    )
    server.add_argument("--port", type=int, metavar="N", help="(default: the first free port from 7860)")
    server.add_argument(
        "--folder", type=Path, metavar="DIR", help="folder of the visitors' files until the server ends"
    )
    server.add_argument(
        "--max-upload", type=int, default=500, metavar="MB", help="size limit of an upload (default: 500)"
    )
    server.add_argument(
        "--max-frames", type=int, default=2000, metavar="N", help="length limit of a video (default: 2000)"
    )
    return parser
