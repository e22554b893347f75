from pathlib import Path

import pytest

from palio.core.redaction.host_paths import HostPaths


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('error mounting "/srv/runs/1/.work/predict-in" to rootfs', 'error mounting "…" to rootfs'),
        ("/srv/runs/1: no space, /srv/bundle/ref/truth.csv", "… no space, …"),
        ("/var/lib/docker/overlay2/0a/merged", "…"),
        ("/home/worker/.cache/palio/bubblewrap/x/out", "…"),
        ("/opt/vowels/predict.py, /mnt/in/a, /tmp/b", "/opt/vowels/predict.py, /mnt/in/a, /tmp/b"),
    ],
)
def test_removed(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/worker/.cache")
    assert HostPaths([Path("/srv/runs/1"), "/srv/bundle", "/tmp"]).removed(text) == told


def test_removed_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "place")
    assert HostPaths([tmp_path / "link"]).removed(f"{tmp_path}/place/a") == "…"
