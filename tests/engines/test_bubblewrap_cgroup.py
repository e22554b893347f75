"""Limits and reports of cgroups, of both versions, on folders that look like them."""

from pathlib import Path

from palio.engines.bubblewrap.cgroup import Cgroup


def test_cgroup_limits_of_both_versions(tmp_path: Path) -> None:
    for version, expected in (
        (
            1,
            {
                "memory.limit_in_bytes": "1000000",
                "memory.memsw.limit_in_bytes": "1000000",
                "memory.kmem.tcp.limit_in_bytes": "125000",
                "pids.max": "10",
                "cpu.cfs_period_us": "100000",
                "cpu.cfs_quota_us": "150000",
            },
        ),
        (
            2,
            {
                "memory.max": "1000000",
                "memory.swap.max": "0",
                "memory.oom.group": "1",
                "pids.max": "10",
                "cpu.max": "150000 100000",
            },
        ),
    ):
        folder = tmp_path / str(version)
        folder.mkdir()
        group = Cgroup(dict.fromkeys(("memory", "pids", "cpu"), folder), version)
        group.limit(memory_bytes=1_000_000, pids=10, cpus=1.5)
        assert {path.name: path.read_text() for path in folder.iterdir()} == expected


def test_cgroup_v2_reports(tmp_path: Path) -> None:
    for name, text in {
        "memory.current": "900",
        "memory.peak": "1000",
        "memory.stat": "anon 500\ninactive_file 300\n",
        "memory.events": "low 0\noom 1\noom_kill 2\n",
        "pids.current": "5",
        "pids.events": "max 3\n",
    }.items():
        (tmp_path / name).write_text(text)
    group = Cgroup(dict.fromkeys(("memory", "pids", "cpu"), tmp_path), 2)
    assert (group.memory_bytes(), group.peak_memory_bytes(), group.pids()) == (600, 1000, 5)
    assert (group.out_of_memory(), group.refused_pids()) == (True, True)
