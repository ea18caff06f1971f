from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def compiled_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """torch.compile compiles in this process, and keeps its files apart."""
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with config.patch(compile_threads=1):  # where `monkeypatch` sets it, a second test finds no such setting
        yield
