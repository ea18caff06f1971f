"""The text of specs: sources, diagnostics, syntax trees, formatter and highlighting."""
