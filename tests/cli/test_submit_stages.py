"""What `palio submit` and `palio status` print of a submission's stages."""

from typing import Any

from palio.cli.submit import _Stages


def current(waiting: dict[str, Any] | None, *, wall_s: float | None = None) -> dict[str, Any]:
    record = {"wall_s": wall_s, "peak_memory_bytes": None}
    return {
        "state": "predict" if wall_s is None else "score",
        "ended": False,
        "attempt": {"identity": "a", "stages": {"predict": record}},
        "place": None,
        "waiting": waiting,
    }


def printed(*seen: dict[str, Any]) -> str:
    said: list[str] = []
    stages = _Stages(lambda text, newline=True: said.append(f"{text}\n" if newline else text))
    for each in seen:
        stages.show(each)
    return "".join(said)


def test_stage_that_waits_for_quota_says_so_once_for_each_place() -> None:
    third, second = {"position": 3}, {"position": 2}
    assert printed(current(third), current(third), current(second), current(None), current(None, wall_s=4.0)) == (
        "  predict     waiting for quota, number 3 in the cluster's queue … "
        "waiting for quota, number 2 in the cluster's queue … 4.0 s\n  score       "
    )
    assert printed(current({"position": None})) == "  predict     waiting for quota … "


def test_older_platforms_say_nothing_of_it() -> None:
    shown = current(None)
    del shown["waiting"]
    assert printed(shown) == "  predict     "
