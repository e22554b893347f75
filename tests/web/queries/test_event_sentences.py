"""Each kind of event as a sentence, and the events of an attempt together."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.web.full_challenge import Full
from tests.web.scored_submissions import NOON

from palio.core.attempt.states import State
from palio.web.models import Event
from palio.web.queries.event_sentences import KINDS, groups, sentence

WEB = Path(__file__).resolve().parents[3] / "src" / "palio" / "web"
FORMS: list[tuple[str, dict[str, Any], str]] = [
    ("attempt.moved", {"new": "queued", "why": "submitted"}, "put it into the queue: submitted"),
    ("attempt.moved", {"new": "queued", "why": "rescore"}, "put it into the queue: to be re-scored"),
    ("attempt.moved", {"old": "queued", "new": "predict", "why": "slot free"}, "started its stage predict"),
    ("attempt.moved", {"new": "scored", "why": "scores read", "charged": False}, "scored it"),
    ("attempt.moved", {"new": "scored", "charged": True}, "scored it. It counts toward the limit."),
    (
        "attempt.moved",
        {"new": "failed", "why": "predict-time-limit", "charged": True},
        "ended it: failed with predict-time-limit. It counts toward the limit.",
    ),
    ("attempt.moved", {"new": "cancelled", "why": "cancelled"}, "cancelled it"),
    ("attempt.taken-up", {"state": "predict", "after": "stop"}, "continued with predict after a restart"),
    ("attempt.taken-up", {"state": "score", "after": "kill"}, "continued with score after its process was killed"),
    ("challenge.published", {"version": 3, "draft": False}, "published version 3"),
    ("challenge.published", {"version": 3, "draft": True}, "published version 3 as a draft"),
    (
        "challenge.shown",
        {"visibility": "archived", "before": "published"},
        "made the challenge archived; it was published",
    ),
    ("challenge.joining", {"before": "open", "joining": "approval"}, "changed registration from open to approval"),
    (
        "challenge.findings_accepted",
        {"version": 2, "findings": ["a", "b"], "reason": "They are twins."},
        "accepted 2 findings of the data audit in version 2: They are twins.",
    ),
    (
        "file.kept",
        {"of_kind": "image", "origin": {"source": "ghcr.io/a/b"}},
        "added a file of the kind image from ghcr.io/a/b",
    ),
    ("registration.made", {"state": "pending", "terms": "ab"}, "asked to join and accepted the terms"),
    ("registration.made", {"state": "approved", "terms": ""}, "joined"),
    ("registration.decided", {"state": "approved", "before": "pending", "user": "dave"}, "approved dave"),
    ("registration.decided", {"state": "refused", "before": "pending", "user": "dave"}, "refused dave"),
    ("registration.decided", {"state": "refused", "before": "approved", "user": "dave"}, "excluded dave"),
    ("rescore.begun", {"count": 1, "phase": "Final"}, "started to re-score 1 submission of “Final”"),
    ("role.granted", {"user": "sam", "role": "scorer"}, "made sam scorer of this challenge"),
    ("submission.disqualified", {"reason": "It\nused labels."}, "disqualified it: It used labels."),
    ("submission.put-on-leaderboard", {"replaced": ["a"]}, "put it on the leaderboard instead of 1 other submission"),
    ("team.renamed", {"before": "A", "name": "B"}, "renamed the team from “A” to “B”"),
    ("team.renamed", {}, "renamed the team from “…” to “…”"),
    ("plugin.done", {"count": 3, "note": ""}, "plugin.done (count: 3)"),
    ("plugin.done", {}, "plugin.done"),
]


@pytest.mark.parametrize(("kind", "detail", "said"), FORMS)
def test_event_sentence(kind: str, detail: dict[str, Any], said: str) -> None:
    assert sentence(Event(kind=kind, detail=detail)) == said


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_event_sentence_without_details(kind: str) -> None:
    """Events of earlier versions may lack some."""
    assert len(sentence(Event(kind=kind, detail={}))) > 5


def test_event_sentence_cut() -> None:
    said = sentence(Event(kind="submission.disqualified", detail={"reason": "x" * 900}))
    assert (len(said), said[-2:]) == (len("disqualified it: ") + 200, "x…")


def test_event_sentence_braces_literal() -> None:
    event = Event(kind="announcement.made", detail={"title": "{text} {0} %s", "text": "secret"})
    assert sentence(event) == "posted the announcement “{text} {0} %s”"


def test_every_recorded_kind_has_a_sentence() -> None:
    assert {kind for path in WEB.rglob("*.py") for kind in _kinds(ast.parse(path.read_text()))} <= KINDS


def _kinds(tree: ast.Module) -> Iterator[str]:
    """The kinds that a module passes to `events.record`, written there or as the value of a name."""
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"events.record", "_record"}:
            kind = node.args[0]
            kind = named.get(kind.id, kind) if isinstance(kind, ast.Name) else kind
            yield from (
                each.value for each in ast.walk(kind) if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )


def test_groups_of_an_attempt(full: Full) -> None:
    """Where its newest event is, oldest first; events about nothing else stay single."""
    attempt, other = full.best.attempts.get(), full.rival.attempts.get()
    made = [
        ("attempt.moved", attempt, {"new": State.QUEUED, "why": "submitted"}),
        ("attempt.moved", other, {"new": State.QUEUED, "why": "submitted"}),
        ("challenge.published", None, {"version": 2}),
        ("attempt.moved", attempt, {"new": State.PREDICT}),
    ]
    for minute, (kind, of, detail) in enumerate(made):
        Event.objects.create(
            kind=kind,
            challenge=full.world.challenge,
            attempt=of.identity if of else "",
            submission=of.submission if of else None,
            actor=full.world.bob if of is None else None,
            time=NOON + timedelta(minutes=minute),
            detail=detail,
        )
    found = groups(full.world.challenge.events.order_by("-id"))
    assert [(group.number, [(said.actor, said.sentence) for said in group.said]) for group in found] == [
        (1, [("", "put it into the queue: submitted"), ("", "started its stage predict")]),
        (None, [("bob", "published version 2")]),
        (1, [("", "put it into the queue: submitted")]),
    ]
