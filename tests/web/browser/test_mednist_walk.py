"""MedNIST's published zips: the organizer's through `palio publish`, the participant's through the page, through the
command line, and through `palio run` on the same machine. Precision, recall and F1 are the same in every digit.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import lacking
from tests.docker_command import has_image
from tests.engines.kubernetes.cluster import of_cluster
from tests.web.browser.walking import EVALUATED_MS, Walker, walker
from tests.web.serving.running import environment, running

from palio.data.getting import get_mednist
from palio.data.shipped import copy_challenge

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHALLENGE = Path(__file__).resolve().parents[3] / "challenges" / "mednist"
BASES = ("projectmonai/monai:latest", "python:3.11-slim")
ENGINES = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param("kubernetes", marks=[pytest.mark.docker, pytest.mark.kubernetes]),  # Docker builds its images
]
KNOWN = "The published images have these leaks; the submissions of this challenge do not see file names."
# As they are published; the first makes the zip with the Dockerfile at its root, the second adds program and model.
PUBLISHED = """\
zip -q -j mednist_docker_image_inference.zip docker_code_inference/Dockerfile
zip -q -r mednist_docker_image_inference.zip docker_code_inference/inference_on_test.py model_output
"""


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory, mednist: Path) -> Path:
    """The challenge with its images; a model of one epoch, which is wrong now and then; both zips."""
    if not shutil.which("zip"):
        lacking("the command zip is not here")
    if find_spec("torch") is None or find_spec("monai") is None:
        lacking("there are no Python packages `torch` and `monai`")
    folder = tmp_path_factory.mktemp("published") / "mednist"
    copy_challenge(CHALLENGE, folder)
    get_mednist(folder, mednist)
    train = ["docker_code_training/app.py", "--input", "input_data", "--output", "model_output", "--epochs", "1"]
    for command in ([sys.executable, *train], ["bash", "-ec", PUBLISHED]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    inside = [
        "competition.yaml",
        "logo.png",
        "pages",
        "input_data",
        "reference_data",
        "scoring_program",
        "manifest.csv",
    ]
    subprocess.run(["zip", "-q", "-r", folder.with_name("bundle.zip"), *inside], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_published_zips_same_scores_everywhere(
    engine: str, challenge: Path, chromium: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine != "bubblewrap" and (missing := [image for image in BASES if not has_image(image)]):
        lacking(f"the Docker engine has no {' and no '.join(missing)}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    zipped, bundle = challenge / "mednist_docker_image_inference.zip", challenge.with_name("bundle.zip")
    operated = {"PALIO_ENGINE": engine, "PALIO_ANYONE_ON_BUBBLEWRAP": "true", **of_cluster()}
    with running(tmp_path / "data", **operated) as platform:
        admin = let_in(walker(chromium, platform.address), str(platform.link()))
        organizes = palio_as(tmp_path / "admin", platform.address, make_token(admin, "organize"))
        assert organizes("publish", bundle, "--accept-findings", KNOWN)["challenge"]["slug"] == "mednist"
        bob, carol = (arrive(walker(chromium, platform.address), name) for name in ("bob", "carol"))
        by_page = add_submission(bob, zipped)
        takes_part = palio_as(tmp_path / "carol", platform.address, make_token(carol))
        takes_part("join", "mednist", "--accept-terms")
        by_command = takes_part("submit", zipped, "--wait")["scores"]
        assert [each.all_problems() for each in (admin, bob, carol)] == [[], [], []]
        for each in (admin, bob, carol):
            each.opened.close()
    here = palio_json(tmp_path, "run", zipped, "--challenge", challenge, "--engine", engine, "-o", tmp_path / "run")
    assert sorted(here["scores"]) == ["f1", "precision", "recall"]
    assert 0 < here["scores"]["f1"] < 1
    assert (by_page, by_command) == (here["scores"], here["scores"])
    receipts = sorted((tmp_path / "data/runs").glob("*/receipt.json"))
    assert len(receipts) == 2
    for receipt in receipts:
        signer = json.loads(receipt.read_text())["signature"]["public_key"]
        again = palio_json(tmp_path, "verify", receipt, "--key", signer, "--challenge", challenge, "--engine", engine)
        assert (again["genuine"], again["failures"]) == (True, [])


@pytest.mark.bubblewrap
def test_lean_variant_same_scores(
    challenge: Path, chromium: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exported to ONNX. On bubblewrap, as a build on Docker would fetch packages; tests/challenges has that."""
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        lacking("there are no Python packages `onnx` and `onnxruntime`")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subprocess.run([sys.executable, "docker_code_inference_onnx/export.py"], cwd=challenge, check=True)
    lean, bundle = tmp_path / "onnx.zip", challenge.with_name("bundle.zip")
    palio_json(tmp_path, "pack", challenge / "docker_code_inference_onnx", "-o", lean)
    with running(tmp_path / "data", PALIO_ENGINE="bubblewrap") as platform:
        admin = let_in(walker(chromium, platform.address), str(platform.link()))
        palio = palio_as(tmp_path / "admin", platform.address, make_token(admin, "organize"))
        palio("publish", bundle, "--accept-findings", KNOWN)
        palio("join", "mednist", "--accept-terms")
        scores = [
            palio("submit", file, "--wait")["scores"]
            for file in (lean, challenge / "mednist_docker_image_inference.zip")
        ]
        admin.opened.close()
    assert 0 < scores[0]["f1"] < 1
    assert scores[0] == scores[1]


def let_in(admin: Walker, link: str) -> Walker:
    admin.page.goto(link)
    for field in admin.page.locator("input[type=password]").all():
        field.fill("a-rather-long-password")
    admin.page.locator("main form button").first.click()
    return admin


def make_token(somebody: Walker, *more: str) -> str:
    somebody.page.goto("/account/tokens/")
    somebody.page.fill("#name", "laptop")
    for scope in more:
        somebody.page.check(f"#scope-{scope}")
    somebody.press("Create token")
    somebody.looks("token")
    return somebody.page.inner_text("#secret")


def arrive(somebody: Walker, name: str) -> Walker:
    somebody.page.goto("/c/mednist/join/")
    somebody.sign_up(name)
    return somebody


def add_submission(bob: Walker, file: Path) -> dict[str, float]:
    """Joins and hands in by the page; the scores, in all digits, are the titles of what it shows."""
    bob.join()
    bob.page.goto("/c/mednist/submit/")
    bob.page.set_input_files("#file", file)
    bob.press("Submit")
    bob.page.wait_for_selector("#live", timeout=EVALUATED_MS)
    bob.wait_for_score()
    table = bob.page.locator("section[aria-labelledby=scores]")
    names = [head.partition(" ")[0].lower() for head in table.locator("th").all_inner_texts()]
    values = [float(str(cell.get_attribute("title"))) for cell in table.locator("td").all()]
    return dict(zip(names, values, strict=True))


def palio_as(home: Path, address: str, token: str) -> Callable[..., dict[str, Any]]:
    """Commands of somebody who has logged in with `palio login`."""
    palio_json(home, "login", address, given=token)
    return lambda *arguments: palio_json(home, *arguments)


def palio_json(home: Path, *arguments: object, given: str = "") -> dict[str, Any]:
    command = [sys.executable, "-m", "palio", *map(str, arguments), "--json"]
    own = environment(PALIO_HOME=str(home / "home"), PATH=os.environ["PATH"], **of_cluster())
    ended = subprocess.run(command, env=own, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))
