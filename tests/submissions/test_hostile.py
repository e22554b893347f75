"""Every attack, for real, on every engine: it ends as its folder says, in time, and the host is as it was before."""

from collections.abc import Iterator

import pytest
from tests.submissions.arena import Arena, arena
from tests.submissions.attacks import Attack, read_attacks

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]
ATTACKS = {attack.name: attack for attack in read_attacks()}


@pytest.fixture(scope="module", params=ENGINES)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    if not request.getfixturevalue(f"{request.param}_answers"):
        pytest.skip("no such engine here")  # said, or failed, by the marker
    with arena(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attack(ground: Arena, attack: Attack) -> None:
    if reason := attack.not_on.get(ground.engine.name):
        pytest.skip(reason)
    expected = attack.expectation(ground.engine.name)
    ending = ground.run(attack)
    said = "\n".join((ending.failure.message, *ending.failure.evidence)) if ending.failure else ""
    assert ending.code in expected.ends, said
    assert [text for text in expected.says if text not in said] == [], said
    if expected.score:
        assert ending.scores
        low, high = expected.score
        assert low <= ending.scores["accuracy"] <= high
    if ending.failure:
        assert ending.failure.cause == expected.turn
    assert ending.harm == ()
    assert ending.seconds < expected.within_s
    assert ending.cpu_s < expected.within_s / 4


def test_nothing_is_left(ground: Arena) -> None:
    assert ground.left_over() == []
