import platform
import subprocess
import sys
from functools import partial

import pytest
import torch

from cifar_dsl.training import malloc_tuning
from cifar_dsl.training.malloc_tuning import keep_freed_memory

# What a step does: tensors of several sizes, made and freed in turn. Prints the pages that the system gave for ten.
# `needed`: the bytes that the training is estimated to take.
STEPS = """
import resource, sys, torch
from cifar_dsl.training.malloc_tuning import keep_freed_memory
how, size = sys.argv[1], int(sys.argv[2])
if how != "given back":
    keep_freed_memory(torch.device("cpu"), lambda: int(how))
def step():
    first, second = torch.ones(size), torch.ones(3 * size)
    third = first.repeat(3)
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


SMALL, LARGE = 2_000_000, 10_000_000  # numbers: tensors of up to 24 MB, and of 40 MB and more
MUCH, LITTLE = 10**15, 10**6  # bytes: more than there are, and few


def pages(needed: int | None, size: int) -> int:
    """Pages that the system gives for ten steps. `needed`: the training's estimate; None: with glibc's defaults."""
    how = "given back" if needed is None else str(needed)
    done = subprocess.run([sys.executable, "-c", STEPS, how, str(size)], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have ways of their own")
@pytest.mark.parametrize(("needed", "size"), [(MUCH, SMALL), (LITTLE, SMALL), (LITTLE, LARGE)])
def test_freed_memory_is_reused_without_the_system(needed, size):
    # Whether glibc gives memory back also depends on where the system placed the heap, so one of three has to.
    assert any(pages(needed, size) < pages(None, size) / 4 for _ in range(3))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have ways of their own")
def test_large_tensors_are_given_back_where_there_is_little_room():
    assert pages(MUCH, LARGE) > pages(None, LARGE) / 2


@pytest.mark.parametrize(
    ("available", "cpus", "threads", "has"),
    [
        (None, 1, 1, False),  # unknown
        (199, 1, 1, False),
        (200, 1, 1, True),
        (200, 4, 4, True),
        (799, 4, 1, False),  # three other processes may train beside this one
        (800, 4, 1, True),
        (399, 3, 2, False),
        (400, 3, 2, True),
    ],
)
def test_room_is_twice_the_estimate_for_each_process(monkeypatch, available, cpus, threads, has):
    monkeypatch.setattr(malloc_tuning, "available_bytes", lambda: available)
    monkeypatch.setattr(malloc_tuning, "usable_cpus", lambda: cpus)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert malloc_tuning.has_room(100) is has


def test_other_devices_and_c_libraries_are_left_alone(monkeypatch):
    needed = partial(pytest.fail, "configured glibc")
    keep_freed_memory(torch.device("cuda", 0), needed)
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    keep_freed_memory(torch.device("cpu"), needed)
