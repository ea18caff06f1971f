"""`cifar-dsl lsp`: the language server."""

import gc

import click

from cifar_dsl.cli.click_options import StrictCommand
from cifar_dsl.cli.interruption import ending
from cifar_dsl.foundation.extras import missing


@click.command(name="lsp", cls=StrictCommand)
def command() -> None:
    """Run the language server: diagnostics, hover, completion, rename, formatting.

    Speaks the Language Server Protocol on standard input and output; started by an editor. Needs the extra `lsp`, but
    no torch.
    """
    try:
        from cifar_dsl.editors.language_server.server import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"pygls", "lsprotocol"}:
            raise
        raise missing("the language server", ["pygls"], "lsp") from None
    server = make_server()
    gc.freeze()  # imported modules are never garbage; scanning them would delay answers
    with ending():
        server.start_io()
