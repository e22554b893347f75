from pathlib import Path

from palio.web.config.table import configuration_table

PAGE = Path(__file__).parents[3] / "docs/operate.md"


def test_page_lists_every_setting_as_it_is() -> None:
    begin, end = "<!-- python -m palio.web.config.table -->\n", "<!-- end -->"
    shown = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert shown == configuration_table(), "run: python -m palio.web.config.table, and put it into the page"
