from pathlib import Path

import pytest

from cifar_dsl.analysis import available_bytes


def machine(root: Path, meminfo: str | None, limit: str | None = None) -> Path:
    for name, text in (("proc/meminfo", meminfo), ("sys/fs/cgroup/memory.max", limit)):
        if text is not None:
            (root / name).parent.mkdir(parents=True)
            (root / name).write_text(text)
    return root


def test_linux_reports_available_memory(tmp_path):
    text = "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  4000 kB\n"
    assert available_bytes(machine(tmp_path, text)) == 4000 * 1024


@pytest.mark.parametrize(
    ("limit", "expected"), [("1000000\n", 1_000_000), ("9000000", 4_096_000), ("max\n", 4_096_000)]
)
def test_a_container_has_no_more_than_its_limit(tmp_path, limit, expected):
    assert available_bytes(machine(tmp_path, "MemAvailable:  4000 kB\n", limit)) == expected


def test_memory_used_in_a_container_is_not_available_except_its_page_cache(tmp_path):
    root = machine(tmp_path, "MemAvailable:  4000 kB\n", "1000000\n")
    group = root / "sys/fs/cgroup"
    (group / "memory.current").write_text("900000\n")
    assert available_bytes(root) == 100_000
    (group / "memory.stat").write_text("anon 1\ninactive_file 50000\nactive_file 7\n")
    assert available_bytes(root) == 150_000
    (group / "memory.current").write_text("1100000\n")
    assert available_bytes(root) == 0


def test_other_systems_report_their_physical_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sysconf_names", {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 2}, raising=False)
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__, raising=False)
    assert available_bytes(machine(tmp_path, None)) == 4_096_000
    monkeypatch.setattr("os.sysconf_names", {}, raising=False)
    assert available_bytes(tmp_path) is None


def test_this_machine_has_available_memory():
    available = available_bytes()
    assert available is None or available > 2**26
