"""Modules of PyTorch as specs: traced, translated, folded, printed and compared."""
