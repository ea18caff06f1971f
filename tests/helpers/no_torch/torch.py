"""Stands before torch on the path of `pytest --fast` and of the processes that its tests start."""

raise RuntimeError("a test of `pytest --fast` imports torch; move it to a folder of NEEDS_TORCH in tests/conftest.py")
