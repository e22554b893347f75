from pathlib import Path

from palio.core.engine import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from palio.core.files.log import LogWriter, append_end, harmless, last_lines


def test_harmless_shows_controls() -> None:
    assert harmless(b"\x1b[2J\x00ok\x07\x7f\t\xff") == "\u241b[2J\u2400ok\u2407\u2421\t\ufffd"


def test_harmless_carriage_returns_and_direction_marks() -> None:
    assert harmless("10%\r20%\r\ndone\u202e".encode()) == "10%\n20%\ndone\ufffd"


def test_log_writer_keeps_beginning_and_end(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "x.log") as log:
        log.write(b"a" * (LOG_HEAD_BYTES - 1))
        before = log.full
        log.write(b"bc")
        assert (before, log.full) == (False, True)
        log.write(b"never")
        log.write_end(b"x" + b"z" * LOG_TAIL_BYTES)
    text = (tmp_path / "x.log").read_text()
    assert text == (
        "a" * (LOG_HEAD_BYTES - 1) + "b" + "\n[palio: the middle of this log was cut here]\n" + "z" * LOG_TAIL_BYTES
    )


def test_last_lines_of_long_log(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("\n".join(f"line {number}" for number in range(100_000)) + "\n\n" + "y" * 500)
    assert last_lines(tmp_path / "x.log", count=3, width=10) == ("line 99998", "line 99999", "yyyyyyyyy…")


def test_last_lines_without_colours(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("\u241b[91mpip: not found\n\u241b[0m\u241b[2Kdone")
    assert last_lines(tmp_path / "x.log") == ("pip: not found", "\u241b[2Kdone")


def test_last_lines_of_missing_log(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "x.log") == ()


def test_log_writer_puts_together_what_was_split(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "x.log") as log:
        for byte in "é\r\n漢\rend\r".encode():
            log.write(bytes([byte]))
    assert (tmp_path / "x.log").read_text() == "é\n漢\nend\n"


def test_append_end_to_a_cut_log(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("beginning")
    append_end(tmp_path / "x.log", b"\x1b[0mend")
    assert (tmp_path / "x.log").read_text() == "beginning\n[palio: the middle of this log was cut here]\n\u241b[0mend"
