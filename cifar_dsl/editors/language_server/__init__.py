"""The language server behind `cifar-dsl lsp`: one file a capability, and `server`, which speaks the protocol."""
