import os

from honest import INPUT, answers, must_fail, write

given = answers()
an_input = next(INPUT.iterdir())
must_fail(
    {f"new file in {folder}": lambda folder=folder: open(f"{folder}/x", "w") for folder in ("", "/etc", "/usr", "/opt", "/mnt", "/mnt/in", "/proc", "/sys")}
    | {
        "an input": lambda: open(an_input, "a"),
        "removing an input": lambda: os.remove(an_input),
        "renaming an input": lambda: os.rename(an_input, INPUT / "mine.txt"),
        "times of an input": lambda: os.utime(an_input),
        "mode of an input": lambda: os.chmod(an_input, 0o777),
        "its own program": lambda: open(__file__, "a"),
        "sysctl": lambda: open("/proc/sys/kernel/hostname", "w"),
        "core pattern": lambda: open("/proc/sys/kernel/core_pattern", "w"),
        "sysrq": lambda: open("/proc/sysrq-trigger", "w"),
    }
)
write(given)
