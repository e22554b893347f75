from pathlib import Path

from palio.core.failure_reference import catalogue

PAGE = Path(__file__).parents[2] / "docs/failures.md"


def test_failures_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue(), (
        "run: python -m palio.core.failure_reference > docs/failures.md"
    )
