"""Build the documentation site, or serve it: `python -m website`."""

import argparse
import functools
import http.server
from pathlib import Path

from website.build import build
from website.tree import ROOT


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m website", description="Build the documentation site.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "site", help="folder to write (default: build/site)"
    )
    parser.add_argument("--serve", type=int, metavar="PORT", help="then serve it at http://127.0.0.1:PORT")
    options = parser.parse_args()
    build(options.out)
    print(f"written to {options.out}")
    if options.serve is not None:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(options.out))
        with http.server.ThreadingHTTPServer(("127.0.0.1", options.serve), handler) as server:
            print(f"http://127.0.0.1:{server.server_port}/index.html")
            server.serve_forever()


if __name__ == "__main__":
    main()
