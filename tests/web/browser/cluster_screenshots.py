"""`python -m tests.engines.kubernetes.cluster run python -m tests.web.browser.cluster_screenshots`: the screenshots in
docs/kubernetes.md, of a platform while a cluster runs its jobs.
"""

import os
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.participant import SLUG, join_as_several
from tests.bundles import DOCKERFILE, PREDICT, YAML, write_bundle
from tests.engines.kubernetes.cluster import of_cluster
from tests.engines.kubernetes.packet_filter import network_policies_enforced
from tests.web.serving.running import running

from palio.client import Connection
from palio.client.submitting import submit
from palio.client.uploading import upload_file

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

IMG = Path(__file__).resolve().parents[3] / "docs/img/kubernetes"
TEAMS, SLOTS, SLEEP_S = 8, 3, 15
UP_S = 300.0
SIZE: "ViewportSize" = {"width": 1200, "height": 900}


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, network_policies_enforced():
        home = Path(scratch)
        settings = {"PALIO_ENGINE": "kubernetes", "PALIO_SLOTS": str(SLOTS), "PALIO_CPUS": "8", **of_cluster()}
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")
        with running(home / "data", **settings) as platform:
            bundle = write_bundle(home / "bundle", yaml=YAML)
            tokens = join_as_several(home / "data", bundle, TEAMS)
            submissions = [_submit(platform.address, token, home, number) for number, token in enumerate(tokens)]
            connection = Connection(platform.address, tokens[0])
            deadline = time.monotonic() + UP_S
            states: list[str] = []
            while states.count("predict") < SLOTS or "queued" not in states:
                if time.monotonic() > deadline:
                    raise SystemExit(f"The cluster did not start enough jobs: {states}")
                time.sleep(0.5)
                states = [connection.get(f"/submissions/{each}")["state"] for each in submissions]
            _take(platform.address, {"dashboard": f"/c/{SLUG}/manage/"})


def _submit(address: str, token: str, folder: Path, number: int) -> str:
    path = folder / f"vowels-{number + 1}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("predict.py", f"import time  # {number}\ntime.sleep({SLEEP_S})\n{PREDICT}")
    connection = Connection(address, token)
    return str(submit(connection, SLUG, upload_file(connection, SLUG, path)["id"])["id"])


def _take(address: str, places: dict[str, str]) -> None:
    from PIL import Image
    from playwright.sync_api import sync_playwright

    IMG.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(base_url=address, viewport=SIZE, reduced_motion="reduce").new_page()
        page.goto("/accounts/login/")
        page.locator("input[name=login]").fill("alice")
        page.locator("input[name=password]").fill("alice-long-password")
        page.locator("main form button").first.click()
        page.wait_for_load_state()
        for name, path in places.items():
            page.goto(path)
            page.locator("#queue").scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            target = IMG / f"{name}.png"
            page.screenshot(path=target, full_page=True)
            Image.open(target).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, kmeans=2).save(
                target, optimize=True
            )
        browser.close()


if __name__ == "__main__":
    main()
