import platform
import subprocess
import sys

import pytest
import torch

from cifar_dsl.training.malloc_tuning import keep_freed_memory

# What a step does: tensors of several sizes, made and freed in turn. Prints the pages that the system gave for ten.
STEPS = """
import resource, sys, torch
from cifar_dsl.training.malloc_tuning import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory(torch.device("cpu"))
def step():
    first, second = torch.ones(2_000_000), torch.ones(6_000_000)
    third = first.repeat(3)
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", STEPS, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have ways of their own")
def test_freed_memory_is_reused_without_the_system():
    # Whether glibc gives memory back also depends on where the system placed the heap, so one of three has to.
    assert any(pages("kept") < pages("given back") / 4 for _ in range(3))


def test_other_devices_and_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("cifar_dsl.training.malloc_tuning._configure_glibc", lambda: pytest.fail("configured glibc"))
    keep_freed_memory(torch.device("cuda", 0))
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    keep_freed_memory(torch.device("cpu"))
