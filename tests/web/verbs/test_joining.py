"""Taking part: terms, approval, withdrawing."""

import hashlib
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.errors import code_of
from tests.web.world import World

from palio.web.access.relations import own_team
from palio.web.models import Challenge, Event, Membership, Registration, StoredFile, Submission, Team, User
from palio.web.verbs import joining
from palio.web.verbs.publish import publish

TERMS = hashlib.sha256(b"Be fair.\n").hexdigest()


def join(world: World, user: User) -> Registration:
    return joining.join(world.challenge, user, terms_digest=TERMS)


def add_submission(world: World, team: Team, user: User) -> None:
    file = StoredFile.objects.create(
        team=team, name="a.csv", kind="results", size_bytes=1, sha256="0" * 64, created_by=user
    )
    Submission.objects.create(challenge=world.challenge, phase="Final", team=team, user=user, file=file)


def test_join_open_challenge(world: World) -> None:
    registration = join(world, world.dave)
    assert registration.state == "approved"
    assert registration.terms_version == world.challenge.current
    assert registration.terms_digest == TERMS
    assert registration.terms_accepted is not None
    team = own_team(world.challenge, world.dave)
    assert team is not None
    assert (team.name, team.captain) == ("dave", world.dave)
    assert [event.kind for event in Event.objects.all()] == ["team.made", "registration.made"]


def test_join_team_name_taken(world: World) -> None:
    Team.objects.filter(pk=world.team.pk).update(name="Dave")
    join(world, world.dave)
    assert Membership.objects.get(user=world.dave).team.name == "dave 2"


def test_join_without_terms(world: World) -> None:
    assert code_of(lambda: joining.join(world.challenge, world.dave)) == "terms-not-accepted"


def test_join_terms_changed(world: World) -> None:
    assert code_of(lambda: joining.join(world.challenge, world.dave, terms_digest="0" * 64)) == "terms-changed"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("visibility", "archived", "challenge-archived"),
        ("visibility", "draft", "challenge-draft"),
        ("joining", "invitation", "invitation-needed"),
    ],
)
def test_join_closed(world: World, field: str, value: str, code: str) -> None:
    setattr(world.challenge, field, value)
    world.challenge.save()
    assert code_of(lambda: join(world, world.dave)) == code


def test_join_twice(world: World) -> None:
    assert code_of(lambda: join(world, world.bob)) == "already-joined"


def test_join_by_approval(world: World) -> None:
    Challenge.objects.update(joining="approval")
    world.challenge.refresh_from_db()
    registration = join(world, world.dave)
    assert registration.state == "pending"
    assert own_team(world.challenge, world.dave) is None
    assert code_of(lambda: join(world, world.dave)) == "join-request-pending"
    decided = joining.decide(registration, approve=True, actor=world.alice)
    assert (decided.state, decided.decided_by) == ("approved", world.alice)
    assert own_team(world.challenge, world.dave) is not None


def test_decide_refused_removes_team(world: World) -> None:
    registration = Registration.objects.get(challenge=world.challenge, user=world.carol)
    joining.decide(registration, approve=False, actor=world.alice)
    assert not Team.objects.filter(pk=world.rivals.pk).exists()
    assert code_of(lambda: join(world, world.carol)) == "join-request-refused"


def test_decide_refused_with_submissions(world: World) -> None:
    add_submission(world, world.rivals, world.carol)
    registration = Registration.objects.get(challenge=world.challenge, user=world.carol)
    assert code_of(lambda: joining.decide(registration, approve=False, actor=world.alice)) == (
        "participant-has-submissions"
    )


def test_withdraw_and_join_again(world: World) -> None:
    joining.withdraw(world.challenge, world.carol)
    assert Registration.objects.get(challenge=world.challenge, user=world.carol).state == "withdrawn"
    assert not Team.objects.filter(pk=world.rivals.pk).exists()
    assert code_of(lambda: joining.withdraw(world.challenge, world.carol)) == "not-a-participant"
    assert join(world, world.carol).state == "approved"


def test_withdraw_after_submitting_keeps_team(world: World) -> None:
    add_submission(world, world.rivals, world.carol)
    joining.withdraw(world.challenge, world.carol)
    join(world, world.carol)
    assert own_team(world.challenge, world.carol) == world.rivals


def test_withdraw_captain_with_members(world: World) -> None:
    assert code_of(lambda: joining.withdraw(world.challenge, world.bob)) == "captain-cannot-leave"


def test_withdraw_after_refusal(world: World) -> None:
    registration = Registration.objects.get(challenge=world.challenge, user=world.carol)
    joining.decide(registration, approve=False, actor=world.alice)
    assert code_of(lambda: joining.withdraw(world.challenge, world.carol)) == "not-a-participant"


def test_accept_terms_of_later_version(world: World, tmp_path: Path) -> None:
    registration = join(world, world.dave)
    folder = write_bundle(tmp_path / "vowels")
    (folder / "terms.md").write_text("Be kind.\n")
    version = publish(folder, actor=world.alice, slug="mednist")
    registration = Registration.objects.get(pk=registration.pk)
    assert joining.needs_terms(registration)
    assert code_of(lambda: joining.accept_terms(registration, TERMS)) == "terms-changed"
    joining.accept_terms(registration, hashlib.sha256(b"Be kind.\n").hexdigest())
    assert not joining.needs_terms(registration)
    assert registration.terms_version == version
