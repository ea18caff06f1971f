"""`cifar-dsl playground`: the compiler in the browser, served on this computer."""

import webbrowser

import click

from cifar_dsl.cli.click_options import StrictCommand
from cifar_dsl.cli.interruption import ending
from cifar_dsl.cli.output import note, print_result
from cifar_dsl.editors.playground.server import HOST, address, make_server
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import playground_directory


@click.command(name="playground", cls=StrictCommand)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to serve on [default: any that is free].")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser, or only print its address.")
def command(port: int, opens: bool) -> None:
    """Serve the playground, a page that checks, draws and compares specs while you type, on this computer only.

    Ctrl-C ends it. The page needs a browser and no network: Python runs in the browser.
    """
    folder = playground_directory()
    if not (folder / "index.html").is_file():
        raise UserError("the playground isn't built", *_remedies())
    try:
        server = make_server(folder, port)
    except OSError as error:
        raise UserError(
            f"can't serve on port {port} of {HOST}: {error.strerror or error}",
            "leave out --port to take any free one",
        ) from error
    print_result(address(server))
    note("press Ctrl-C to end")
    if opens:
        webbrowser.open(address(server))
    with ending(), server:
        server.serve_forever()


def _remedies() -> tuple[str, ...]:
    """How to get the built page: in a checkout, which has the script that builds it, or elsewhere."""
    checkout = playground_directory().parents[2]
    if (checkout / "playground" / "build.py").is_file():
        return (f"build it, with npm: python {checkout / 'playground' / 'build.py'}",)
    return ("install a wheel that contains it, or build it in a checkout: python playground/build.py",)
