"""`python -m tests.fuzz_dockerfile [-runs=N]` looks for bytes that the readers of Dockerfiles cannot take (atheris).

What crashes them, or keeps them for 10 s, is written to a file; `python -m tests.fuzz_dockerfile FILE` repeats it.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["palio", "json"]):
    from tests.dockerfile_cases import SEEDS, check


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        work, corpus = Path(home, "work"), Path(home, "corpus")
        work.mkdir()
        corpus.mkdir()
        for number, seed in enumerate(SEEDS):
            (corpus / f"{number}").write_bytes(seed)
        arguments = sys.argv if any(not each.startswith("-") for each in sys.argv[1:]) else [*sys.argv, str(corpus)]
        atheris.Setup([*arguments, "-timeout=10", "-max_len=4096"], lambda data: check(data, work) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
