"""The language server behind `cifar-dsl lsp`: a file for each capability, and `server` for the protocol."""
