import pytest

from palio.core.submission.start_notes import start_notes

SCRIPT = b"#!/bin/bash\npython /app/predict.py\n"
CRLF = SCRIPT.replace(b"\n", b"\r\n")


def notes(dockerfile: str, permissions: int = 0o644, script: bytes = SCRIPT) -> list[str]:
    text = f"FROM python:3.11-slim\nCOPY . /app/\n{dockerfile}\n"
    return start_notes(text.encode(), ["Dockerfile", "bin/run.sh"], lambda _, size: (permissions, script[:size]))


@pytest.mark.parametrize(
    "start",
    [
        'ENTRYPOINT ["/app/run.sh"]',
        'ENTRYPOINT ["/app/run.sh"]\nCMD ["python"]',
        'CMD ["./run.sh", "--fast"]',
        "CMD ./run.sh",
        "CMD exec /app/run.sh",
        'CMD ["run.sh"]',
    ],
)
def test_start_notes_on_a_script_that_cannot_start(start: str) -> None:
    assert ["is not executable" in note for note in notes(start)] == [True]
    assert ["ends in CR LF" in note for note in notes(start, 0o755, CRLF)] == [True]
    assert notes(start, 0o755) == []


@pytest.mark.parametrize(
    "start",
    [
        'RUN chmod +x /app/run.sh\nCMD ["/app/run.sh"]',
        'COPY --chmod=755 run.sh /app/\nCMD ["/app/run.sh"]',
        'CMD ["bash", "/app/run.sh"]',
        'CMD ["/app/other.sh"]',
        'CMD ["/app/run.sh"]\nFROM scratch\nCMD ["python"]',
        "RUN true",
        "CMD [",
    ],
)
def test_start_notes_unknown_script(start: str) -> None:
    assert notes(start) == []
