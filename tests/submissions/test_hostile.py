"""Every attack, for real, on every engine: it ends as its folder says, in time, and the host is as it was before."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.submissions.arena import Arena, arena
from tests.submissions.attacks import AS_USER, HONEST, SCORED, Attack, read_attacks
from tests.submissions.ordinary import ArenaOfUser, arena_of_user

ENGINES = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    pytest.param(f"bubblewrap{AS_USER}", marks=pytest.mark.bubblewrap),
    pytest.param("kubernetes", marks=[pytest.mark.docker, pytest.mark.kubernetes]),
]
PATIENCE = 5  # a busy machine may take that much longer; what matters is that there is an end
ATTACKS = {attack.name: attack for attack in read_attacks()}


@pytest.fixture(scope="module", params=ENGINES)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena | ArenaOfUser]:
    if request.param.endswith(AS_USER):
        with arena_of_user() as made:
            yield made
        return
    with arena(request.param, tmp_path_factory.mktemp(request.param)) as made_here:
        yield made_here


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attack(request: pytest.FixtureRequest, ground: Arena | ArenaOfUser, attack: Attack) -> None:
    expected = attack.expectation(request.node.callspec.params["ground"])
    ending = ground.run(attack)
    said = "\n".join((ending.failure.message, *ending.failure.evidence, *ending.failure.log)) if ending.failure else ""
    assert ending.code in expected.ends, said
    assert [text for text in expected.says if text not in said] == [], said
    if expected.score and ending.code == SCORED:
        assert ending.scores
        low, high = expected.score
        assert low <= ending.scores["accuracy"] <= high
    if ending.failure:
        assert ending.failure.cause == expected.turn
    assert ending.harm == ()
    assert ending.seconds < expected.within_s * PATIENCE
    assert ending.cpu_s < expected.within_s * PATIENCE / 4


MEDNIST_BY_NUMBER = """
import os
from pathlib import Path

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
names = sorted(os.listdir("/mnt/in"))
rows = [f"{name},{CLASSES[number * len(CLASSES) // len(names)]}" for number, name in enumerate(names)]
Path("/mnt/out/classification_results.csv").write_text("\\n".join(["file,class", *rows]))
"""


@pytest.mark.parametrize("blind", [False, True], ids=["seen", "blind"])
def test_mednist_by_number_in_name(ground: Arena | ArenaOfUser, mednist: Path, tmp_path: Path, blind: bool) -> None:
    """The images of a class have numbers in a row. Who sees these needs no model; who does not can but guess."""
    assert isinstance(ground, Arena)  # see conftest.py
    challenge = tmp_path / "challenge"
    data = shutil.ignore_patterns("input_data", "reference_data", "model_output")
    shutil.copytree(ROOT / "challenges/mednist", challenge, ignore=data)
    (challenge / "input_data").mkdir()
    shutil.copytree(mednist / "testing-data", challenge / "input_data/testing-data")
    (challenge / "reference_data").mkdir()
    shutil.copy(mednist / "testing_solution.csv", challenge / "reference_data")
    without = ("  sample:",) if blind else ("  sample:", "  blind:")
    yaml = (challenge / "competition.yaml").read_text().replace("network: true", "network: false")
    kept = [line for line in yaml.splitlines() if not line.startswith(without)]
    (challenge / "competition.yaml").write_text("\n".join(kept))
    context = tmp_path / "context"
    shutil.copytree(HONEST, context)
    (context / "predict.py").write_text(MEDNIST_BY_NUMBER)
    submission = Path(shutil.make_archive(str(tmp_path / "submission"), "zip", context))
    ending = ground.evaluate(submission, challenge, tmp_path)
    assert ending.scores, ending.failure
    assert (ending.scores["f1"] < 0.25) if blind else (ending.scores["f1"] == 1.0)


def test_hostile_leaves_nothing(ground: Arena | ArenaOfUser) -> None:
    assert ground.left_over() == []
