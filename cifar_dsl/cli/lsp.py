"""`cifar-dsl lsp`: the language server."""

import gc

import click

from cifar_dsl.foundation.errors import UserError


@click.command(name="lsp")
def command() -> None:
    """Serve an editor: check specs while they are typed, explain, complete, rename, lay out.

    Speaks the Language Server Protocol on standard input and output; an editor starts it. Needs the extra `lsp`,
    and no torch.
    """
    try:
        from cifar_dsl.editors.language_server.server import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"pygls", "lsprotocol"}:
            raise
        raise UserError(
            "the language server needs pygls, which is not installed", "pip install 'cifar-dsl[lsp]'"
        ) from None
    server = make_server()
    gc.freeze()  # what was imported is no garbage, and looking through it would hold up answers
    server.start_io()
