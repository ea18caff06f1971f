import os
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_dsl.analysis import available_bytes, usable_cpus


def machine(root: Path, meminfo: str | None, limit: str | None = None) -> Path:
    texts = {"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": limit}
    return with_files(root, {name: text for name, text in texts.items() if text is not None})


def with_files(root: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
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


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            {
                "proc/self/cgroup": "0::/jobs/one\n",
                "sys/fs/cgroup/jobs/memory.max": "700000\n",
                "sys/fs/cgroup/jobs/one/memory.max": "max\n",
            },
            id="a parent's limit",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/jobs/one\n2:cpu,cpuacct:/\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": "900000\n",
                "sys/fs/cgroup/memory/jobs/one/memory.usage_in_bytes": "300000\n",
                "sys/fs/cgroup/memory/jobs/one/memory.stat": "cache 7\ntotal_inactive_file 100000\n",
            },
            id="version 1",
        ),
    ],
)
def test_every_control_group_of_the_process_limits_its_memory(tmp_path, texts):
    assert available_bytes(with_files(machine(tmp_path, "MemAvailable:  4000 kB\n"), texts)) == 700_000


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("texts", "cpus"),
    [
        pytest.param({}, 8, id="no limit"),
        pytest.param({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8, id="no quota"),
        pytest.param({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2, id="a quota is rounded up"),
        pytest.param({"sys/fs/cgroup/cpu.max": "5000 100000\n"}, 1, id="a quota below one"),
        pytest.param({"sys/fs/cgroup/cpu.max": "1600000 100000\n"}, 8, id="a quota above the affinity"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/user/job\n",
                "sys/fs/cgroup/user/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/user/job/cpu.max": "max 100000\n",
            },
            3,
            id="a parent's quota",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "1:cpu,cpuacct:/docker/abc\n0::/\n",  # a path outside the container
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
            id="version 1",
        ),
        pytest.param({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}, 8, id="version 1 without a quota"),
        pytest.param({"proc/self/cgroup": "0::/../../..\n", "sys/fs/cgroup/cpu.max": "?"}, 8, id="unreadable"),
    ],
)
def test_usable_cpus_are_those_of_the_affinity_and_of_the_quota(eight_cpus, tmp_path, texts, cpus):
    assert usable_cpus(with_files(tmp_path, texts)) == cpus


@pytest.mark.skipif(sys.platform != "linux", reason="sets the affinity of a process, as taskset does")
def test_a_process_on_one_cpu_has_one_usable_cpu():
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    program += "from cifar_dsl.analysis import usable_cpus; print(usable_cpus())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "1\n"


def test_other_systems_have_as_many_usable_cpus_as_cores(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cpus(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(tmp_path) == 1


@pytest.mark.parametrize(
    ("variables", "spins"),
    [({}, "10000"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None), ({"GOMP_SPINCOUNT": "1000"}, "1000")],
)
def test_threads_spin_briefly_unless_the_user_decides(variables, spins):
    """It must be set before torch is imported, which reads it then."""
    environment = {name: text for name, text in os.environ.items() if name not in {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}}
    program = "import os, sys, cifar_dsl.training; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment | variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{spins} False\n"
