"""`vosmem app`."""

import argparse
import sys
from pathlib import Path

from vosmem.cli.arguments import Parser
from vosmem.cli.prompts import add_cut_option
from vosmem.cli.serving import add_serving_options, end_on_sigterm, wait_for_end

EXAMPLES = """examples:
  vosmem app
  vosmem app --weights last.ckpt --port 8000 --folder /data/visits"""


def run(arguments: list[str]) -> None:
    """Serve the page until the process is interrupted or terminated."""
    options = _parser().parse_args(arguments)

    from vosmem.commands.app import app, is_local

    ended = end_on_sigterm()
    with app(options) as url:
        print(f"vosmem: the page is at {url} (Ctrl-C ends it)", flush=True)
        if not is_local(options.host):
            print("vosmem: everyone who can reach this machine can use the page, without a password", file=sys.stderr)
        wait_for_end(ended, "vosmem: ended; all files of its visitors are deleted")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="vosmem app",
        description="Serve a page: mark objects in a video, propagate them, correct and download the masks.",
        epilog=EXAMPLES,
    )
    folder, upload = "folder of the visitors' files until the server ends", "size limit of an upload (default: 500)"
    frames = "length limit of a video (default: 2000)"
    server = add_serving_options(parser)
    add_cut_option(parser.add_argument_group("first masks"))
    server.add_argument("--port", type=int, metavar="N", help="(default: the first free port from 7860)")
    server.add_argument("--folder", type=Path, metavar="DIR", help=folder)
    server.add_argument("--max-upload", type=int, default=500, metavar="MB", help=upload)
    server.add_argument("--max-frames", type=int, default=2000, metavar="N", help=frames)
    return parser
