"""`vosmem serve`."""

import argparse
import os
import secrets
import sys

from vosmem.cli.arguments import Parser
from vosmem.cli.serving import add_serving_options, end_on_sigterm, wait_for_end

EXAMPLES = """examples:
  vosmem serve
  VOSMEM_TOKEN=secret vosmem serve --weights last.ckpt --port 7900 --size 480"""


def run(arguments: list[str]) -> None:
    """Serve until the process is interrupted or terminated."""
    options = _parser().parse_args(arguments)

    from vosmem.commands.app import is_local
    from vosmem.commands.serve import serve

    token = os.environ.get("VOSMEM_TOKEN") or secrets.token_urlsafe(24)
    ended = end_on_sigterm()
    with serve(options, token) as url:
        shown = "of VOSMEM_TOKEN" if os.environ.get("VOSMEM_TOKEN") else token
        print(f"vosmem: serving at {url}, token {shown} (Ctrl-C ends it)", flush=True)
        if not is_local(options.host):
            print("vosmem: other machines can reach the service, without encryption", file=sys.stderr)
        wait_for_end(ended, "vosmem: ended")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="vosmem serve",
        description="Serve masks over HTTP: clients send the frames of a video one by one, with the token of the "
        "environment variable VOSMEM_TOKEN or a new one.",
        epilog=EXAMPLES,
    )
    server = add_serving_options(parser)
    server.add_argument("--port", type=int, default=7880, metavar="N", help="0 for any free one (default: 7880)")
    server.add_argument("--max-request", type=int, default=32, metavar="MB", help="size of a request (default: 32)")
    server.add_argument("--max-pixels", type=int, default=2**24, metavar="N", help="of a frame (default: 16777216)")
    server.add_argument("--max-sessions", type=int, default=8, metavar="N", help="at a time (default: 8)")
    server.add_argument(
        "--idle-seconds", type=float, default=600, metavar="S", help="until an idle session ends (default: 600)"
    )
    return parser
