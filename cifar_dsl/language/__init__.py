"""Text of specs: sources, diagnostics, syntax trees, the formatter and colours."""
