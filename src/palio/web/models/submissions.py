"""Files, submissions and their attempts."""

from django.db import models
from django.utils import timezone

from palio.core.attempt.states import ENDS, State
from palio.web.models.accounts import Team, User
from palio.web.models.challenges import Challenge, ChallengeVersion
from palio.web.models.ids import LENGTH, new_id


class StoredFile(models.Model):
    """A complete, checked file of a team, in the store under its digest."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    team = models.ForeignKey(Team, models.PROTECT, related_name="files")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=12)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    notes = models.JSONField(default=list)  # accepted irregularities
    facts = models.JSONField(default=list)  # what was recognized in it: [name, fact], for people
    origin = models.JSONField(default=dict)  # where the platform fetched it: `source`, `tag`, and `digest` or `commit`
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    deleted = models.DateTimeField(null=True)  # the row stays because submissions refer to it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "sha256"], condition=models.Q(deleted=None), name="a_team_keeps_a_file_once"
            )
        ]


class Upload(models.Model):
    """A file on its way in. It becomes a StoredFile once it is complete and has the announced digest."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="uploads")
    user = models.ForeignKey(User, models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created = models.DateTimeField(default=timezone.now)
    file = models.ForeignKey(StoredFile, models.SET_NULL, null=True, related_name="+")  # the resulting file


class Submission(models.Model):
    """A file submitted to a phase. `counted` is the attempt whose scores are on the leaderboard."""

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey(Challenge, models.PROTECT, related_name="submissions")
    phase = models.CharField(max_length=200)  # by name, because names persist across versions
    team = models.ForeignKey(Team, models.PROTECT, related_name="submissions")
    user = models.ForeignKey(User, models.PROTECT, related_name="submissions")
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="submissions")
    note = models.CharField(max_length=500, blank=True)
    created = models.DateTimeField(default=timezone.now)
    counted = models.ForeignKey("palio.Attempt", models.PROTECT, null=True, related_name="+")
    charged = models.BooleanField(default=False)  # counts toward the team's limit, see verbs.quota
    answers = models.JSONField(default=dict)  # to the questions of the bundle's fact sheet: {key: text or boolean}
    chosen = models.DateTimeField(null=True)  # put on the leaderboard by the team, where teams choose
    migrated_from = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="migrated_to"
    )  # the submission to the phase before, which this phase has taken over
    withdrawn = models.DateTimeField(null=True)  # by the team
    hidden = models.DateTimeField(null=True)  # by an organizer
    disqualified = models.TextField(blank=True)  # the reason, by an organizer
    baseline = models.BooleanField(default=False)  # a reference entry of the organizers

    class Meta:
        indexes = [
            models.Index(fields=["challenge", "phase", "-created"]),
            models.Index(fields=["team", "phase", "-created"]),
        ]


class Purpose(models.TextChoices):
    FIRST = "first"
    RETRY = "retry"  # after a platform error
    RERUN = "rerun"  # all stages, requested by an organizer
    RESCORE = "rescore"  # only scoring, with predictions of an earlier attempt


class Rescore(models.Model):
    """A re-score of all submissions of a phase, applied all at once or not at all."""

    class State(models.TextChoices):
        RUNNING = "running"
        READY = "ready"  # the leaderboards can be compared
        APPLIED = "applied"
        DISCARDED = "discarded"

    id = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    challenge = models.ForeignKey(Challenge, models.PROTECT, related_name="rescores")
    version = models.ForeignKey(ChallengeVersion, models.PROTECT, related_name="+")
    phase = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created = models.DateTimeField(default=timezone.now)
    decided = models.DateTimeField(null=True)


class SampleRepeat(models.Model):
    """The second run of an attempt on the public cases, once for each file submitted to a phase. For organizers only.

    Rows can be deleted at any time: the controller runs the cases again.
    """

    attempt = models.OneToOneField("palio.Attempt", models.CASCADE, related_name="+")
    identity = models.CharField(max_length=LENGTH, default=new_id, unique=True)  # names its jobs and its run folder
    started = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)  # that failed for reasons other than the submission
    found = models.JSONField(default=dict)  # of core.attempt.sample_differences; empty if nothing could be compared
    failure = models.JSONField(null=True)  # of the submission, in the second run only


class Attempt(models.Model):
    """One evaluation of a submission. `identity` names its jobs and its run folder.

    The row has its state; the run folder has the rest. Participants read only columns of this row and the run folder's
    `participant/`.
    """

    identity = models.CharField(primary_key=True, max_length=LENGTH, default=new_id, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()  # 1, 2, … per submission
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.FIRST)
    version = models.ForeignKey(ChallengeVersion, models.PROTECT, related_name="+")
    source = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="+"
    )  # for a re-score: the attempt with the predictions
    rescore = models.ForeignKey(Rescore, models.PROTECT, null=True, related_name="attempts")
    state = models.CharField(max_length=12, choices=[(state, state) for state in State], default=State.QUEUED)
    engine = models.CharField(max_length=20, blank=True)
    created = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)  # later than `created` after an engine failure
    started = models.DateTimeField(null=True)
    moved = models.DateTimeField(default=timezone.now)  # when it reached its current state
    deadline = models.DateTimeField(null=True)  # of its current stage
    finished = models.DateTimeField(null=True)
    cancel_requested = models.DateTimeField(null=True)
    scores = models.JSONField(null=True)  # {key: number}, only when scored
    failure = models.JSONField(null=True)  # as organizers see it, like result.json
    failure_shown = models.JSONField(null=True)  # as participants see it
    failure_code = models.CharField(max_length=60, blank=True)
    failure_cause = models.CharField(max_length=12, blank=True)
    holder = models.ForeignKey("palio.ControllerBeat", models.SET_NULL, null=True, related_name="+")  # evaluates it now
    fencing_token = models.PositiveIntegerField(default=0)  # one higher each time that a controller takes it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["submission", "number"], name="attempts_are_counted"),
            models.UniqueConstraint(
                fields=["submission"],
                condition=~models.Q(state__in=sorted(ENDS)) & models.Q(rescore=None),
                name="one_attempt_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state=State.SCORED, scores__isnull=False)
                | (~models.Q(state=State.SCORED) & models.Q(scores__isnull=True)),
                name="scores_if_and_only_if_scored",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"]),
            models.Index(fields=["submission", "-number"]),
            models.Index(fields=["-started"]),  # the queue orders teams by their last start
        ]

    @property
    def ended(self) -> bool:
        return State(self.state) in ENDS
