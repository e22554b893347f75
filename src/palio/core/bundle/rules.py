"""Reads the `palio:` block of competition.yaml, Palio's extension of other formats."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

from palio.core.bundle.case_metrics import KINDS, MetricReader, WrittenMetric
from palio.core.bundle.case_names import case_pattern
from palio.core.bundle.model import (
    BlindPolicy,
    FeedbackPolicy,
    FeedbackRule,
    LogPolicy,
    MonaiPolicy,
    RankingPolicy,
    Restore,
    Rules,
    SamplePolicy,
    ScorePolicy,
    StatisticsPolicy,
    SubmissionKind,
)
from palio.core.bundle.paths import Paths
from palio.core.bundle.readers import boolean, choice, image_name, integer, text
from palio.core.bundle.units import duration, number, size
from palio.core.bundle.values import Refused, Scalar, Section, Value, accept, inner
from palio.core.bundle.wording import quoted
from palio.core.engine import BuildLimits, Limits
from palio.core.files.globs import PatternError

# Scoring programs write many files, but no page could show more than this.
MAX_FILES = 1_000_000
MOST_DIGITS = 6  # of a rounded score; more would hide nothing
_ENGINE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_STEPS = (0.000001, 1e9)


def read_rules(block: Value | None, defaults: Rules, paths: Paths) -> Rules:
    """Reads the rules of one phase from its block, already merged with the block at top level."""
    if block is None:
        return defaults
    top = block.section()
    limits = top.section("limits")
    logs = top.section("logs")
    rules = Rules(
        data=top.read("data", choice("public", "held-out", "private"), defaults.data),
        submissions=top.read("submissions", _kinds, defaults.submissions),
        build=_build_limits(limits.section("build"), defaults.build),
        predict=_limits(limits.section("predict"), defaults.predict),
        score=_limits(limits.section("score"), defaults.score),
        logs_sample=logs.read("sample", _log_of_job, defaults.logs_sample),
        logs_predict=logs.read("predict", _log_of_job, defaults.logs_predict),
        logs_score=logs.read("score", _log_of_score, defaults.logs_score),
        scores=ScorePolicy(top.read("scores", choice(*ScorePolicy), defaults.scores)),
        feedback=_feedback(top, defaults.feedback),
        sample=_sample(top.section("sample"), paths) if top.take("sample") else None,
        blind=_blind(top.section("blind")) if top.take("blind") else None,
        statistics=_statistics(top.section("statistics")) if top.take("statistics") else None,
        ranking=_ranking(top.section("ranking"), defaults.ranking),
        monai=_monai(top.section("monai"), defaults.monai),
        engine=top.read("engine", _engine_name, defaults.engine),
    )
    top.finish()
    return _with_feedback(rules, top)


def _engine_name(value: Value) -> str:
    name = text(value)
    if not _ENGINE.fullmatch(name):
        raise Refused(f"{value.found}; write the name that the platform's operator gave to an engine, such as gpu")
    return name


def _feedback(top: Section, default: FeedbackPolicy) -> FeedbackPolicy:
    """The rule by itself, or a mapping with its parameter."""
    value = top.take("feedback")
    if value is None:
        return default
    if not isinstance(value.content, dict):
        rule = FeedbackRule(accept(value, choice(*FeedbackRule), default.rule))
        if rule is FeedbackRule.ROUNDED:
            value.error("says `rounded`, but not how; write {rule: rounded, digits: 2}")
        return FeedbackPolicy(rule)
    section = top.section("feedback")
    rule = FeedbackRule(
        section.require("rule", choice(*FeedbackRule), default.rule, f"write one of {', '.join(FeedbackRule)}")
    )
    digits, step = section.read("digits", integer(0, MOST_DIGITS), None), section.read("step", number(*_STEPS), None)
    for key, owner, advice in (
        ("digits", FeedbackRule.ROUNDED, "write how many decimals participants see, such as 2"),
        ("step", FeedbackRule.LADDER, "write by how much a score must improve to be shown, such as 0.01"),
    ):
        if rule is owner and not section.take(key) and rule is FeedbackRule.ROUNDED:
            section.missing(key, advice)
        elif rule is not owner and (given := section.take(key)):
            given.warn(f"has no effect on the rule {rule}; remove it, or write `rule: {owner}`")
    return FeedbackPolicy(
        rule,
        digits=digits or 0 if rule is FeedbackRule.ROUNDED else 0,
        step=step or 0.0 if rule is FeedbackRule.LADDER else 0.0,
    )


def _with_feedback(rules: Rules, top: Section) -> Rules:
    """`scores: hidden` and `feedback: none` are the same. A scoring program's log may contain scores, so participants
    do not read it unless feedback is exact."""
    feedback, scores = rules.feedback, top.take("scores")
    if feedback.is_parameter_free and rules.statistics is None and not inner(top.value, "feedback", "step"):
        (top.take("feedback") or top.value).error(
            "says `ladder`, but not the step; write {rule: ladder, step: 0.01}, or add `statistics`, which tells the "
            "standard error of a difference"
        )
    if rules.scores is ScorePolicy.HIDDEN and feedback.rule is not FeedbackRule.NONE:
        if (value := top.take("feedback")) and scores:
            value.error(f"says `{feedback.rule}`, but `scores` in line {scores.line} hides them; remove one of the two")
        feedback = FeedbackPolicy(FeedbackRule.NONE)
    elif feedback.rule is FeedbackRule.NONE and scores and rules.scores is ScorePolicy.VISIBLE:
        scores.error("says `visible`, but `feedback` says `none`; remove one of the two")
    if feedback.is_exact:
        return rules
    log = inner(top.value, "logs", "score")
    if log is not None and rules.logs_score in {LogPolicy.TAIL, LogPolicy.FULL}:
        log.warn(
            f"{log.found}, but that log may contain scores that the feedback rule `{feedback.rule}` withholds, so only "
            "organizers read it; remove one of the two"
        )
    is_hidden = feedback.rule is FeedbackRule.NONE
    return replace(
        rules,
        feedback=feedback,
        scores=ScorePolicy.HIDDEN if is_hidden else ScorePolicy.VISIBLE,
        logs_score=LogPolicy.NONE if rules.logs_score is LogPolicy.NONE else LogPolicy.ORGANIZER,
    )


def without_output(rules: Rules, own: Value | None) -> Rules:
    """The rules of a phase with `hide_output`, which hides logs of stages on hidden data whatever the block says.

    `own` is the phase's own block. Warns about logs that it explicitly shows.
    """
    for stage, policy in (("predict", rules.logs_predict), ("score", rules.logs_score)):
        value = inner(own, "logs", stage)
        if value is not None and policy in {LogPolicy.TAIL, LogPolicy.FULL}:
            value.warn(f"{value.found}, but the phase's `hide_output` hides that log; remove one of the two")
    return replace(rules, logs_predict=LogPolicy.NONE, logs_score=LogPolicy.ORGANIZER)


def _kinds(value: Value) -> tuple[SubmissionKind, ...]:
    if value.content == ():
        raise Refused(f"names no kind of submission; write a list of {', '.join(SubmissionKind)}")
    one_kind = choice(*SubmissionKind)
    kinds = [SubmissionKind(kind) for item in value.items() if (kind := accept(item, one_kind, None))]
    return tuple(dict.fromkeys(kinds))


def _build_limits(section: Section, defaults: BuildLimits) -> BuildLimits:
    return BuildLimits(
        time_s=section.read("time", duration, defaults.time_s),
        memory_bytes=section.read("memory", size, defaults.memory_bytes),
        size_bytes=section.read("size", size, defaults.size_bytes),
        network=section.read("network", boolean, defaults.network),
    )


def _limits(section: Section, defaults: Limits) -> Limits:
    limits = Limits(
        time_s=section.read("time", duration, defaults.time_s),
        memory_bytes=section.read("memory", size, defaults.memory_bytes),
        cpus=section.read("cpus", number(0.1, 1024), defaults.cpus),
        pids=section.read("pids", integer(1, 4_000_000), defaults.pids),
        shm_bytes=section.read("shm", size, defaults.shm_bytes),
        output_bytes=section.read("output", size, defaults.output_bytes),
        output_files=section.read("files", integer(1, MAX_FILES), defaults.output_files),
        gpus=section.read("gpus", integer(0, 64), defaults.gpus),
    )
    if limits.shm_bytes > limits.memory_bytes:
        section.value.error(
            "allows more shared memory (shm) than memory, which includes it; raise `memory` or lower `shm`"
        )
    return limits


def _log_of_job(value: Value) -> LogPolicy:
    return LogPolicy(choice(LogPolicy.NONE, LogPolicy.TAIL, LogPolicy.FULL)(value))


def _log_of_score(value: Value) -> LogPolicy:
    return LogPolicy(choice(*LogPolicy)(value))


def _sample(section: Section, paths: Paths) -> SamplePolicy:
    return SamplePolicy(
        input=section.require("input", paths.data, paths.root, "name the folder of public inputs"),
        expect=section.read("expect", paths.data, None),
        twice=section.read("twice", boolean, True),
    )


def _blind(section: Section) -> BlindPolicy:
    restore, json = [], []
    for part in section.sections("restore"):
        if "json" in part and "csv" not in part:
            json.append(part.require("json", _json_name, "", "name the predictions file, such as predictions.json"))
            continue
        csv = part.require("csv", _file_name, "", "name the predictions file, such as predictions.csv")
        column = part.require("column", text, "", "name the column with the names of inputs")
        restore.append(Restore(csv, column))
    inputs = section.require("inputs", _pattern, "*", 'write which inputs to rename, such as "*.jpg"')
    return BlindPolicy(inputs, tuple(restore), section.read("case", _case_patterns, ()), tuple(json))


def _statistics(section: Section) -> StatisticsPolicy:
    cases = section.require("cases", _file_name, "", "name the CSV of single cases, such as cases.csv")
    kind = section.require("kind", choice(*KINDS), "", f"write one of {', '.join(KINDS)}")
    of_columns = section.section("metrics")
    kind = _kind_of_metrics(kind, section, of_columns)
    metric = section.read("metric", MetricReader(kind), "")
    metrics = tuple((key, written) for key in of_columns if (written := of_columns.read(key, MetricReader(kind), "")))
    if not section.take("metric") and not section.take("metrics"):
        section.missing("metric", "name the metric, such as f1_weighted")
    policy = StatisticsPolicy(cases, kind, metric, metrics, section.read("group", text, None))
    _check_group(section, policy)
    return policy


def _kind_of_metrics(kind: str, section: Section, of_columns: Section) -> str:
    """The kind that has the metrics, if it is another one and the only one: AUC is often said to be of classification,
    and is computed from probabilities.
    """
    values = [section.take("metric"), *(of_columns.take(key) for key in of_columns)]
    written = [value.content for value in values if value is not None]
    names = {WrittenMetric.parse(each.text).name for each in written if isinstance(each, Scalar)}
    others = [each for each, known in KINDS.items() if names and names <= known.keys()]
    if kind not in KINDS or names & KINDS[kind].keys() or len(others) != 1:
        return kind
    if value := section.take("kind"):
        says = f"{value.found}, but {', '.join(map(quoted, sorted(names)))} {'is' if len(names) == 1 else 'are'}"
        value.warn(f"{says} of the kind {others[0]}, as which the cases are read; write kind: {others[0]}")
    return others[0]


def _check_group(section: Section, policy: StatisticsPolicy) -> None:
    """Refuses groups where no interval for cases that belong together holds."""
    if not (value := section.take("group")):
        return
    if policy.kind == "classification":
        value.error(f"{value.found}, but intervals of classification take each case as independent; remove the key")
    names = {WrittenMetric.parse(written).name for written in (policy.metric, *dict(policy.metrics).values())}
    if medians := sorted(names & {"median", "median_absolute_error"}):
        value.error(
            f"{value.found}, but the interval of {medians[0]} takes each case as independent; remove the key, or use "
            "the mean"
        )


def _monai(section: Section, defaults: MonaiPolicy) -> MonaiPolicy:
    csv = section.read("csv", _file_name, None)
    columns = section.read("columns", _names, ())
    if csv and not columns and not section.take("columns"):
        section.missing("columns", "write the header of that file, such as [file, class]")
    elif columns and not csv and not section.take("csv"):
        section.missing("csv", "name the file with these columns, such as predictions.csv")
    elif columns and len(columns) < 2:
        section.value.error("has one column; write the one with the names of inputs, then those with predictions")
    return MonaiPolicy(
        image=section.read("image", image_name, defaults.image),
        csv=csv,
        columns=columns,
        classes=section.read("classes", _names, ()),
        files=section.read("files", _case_file, None),
    )


def _case_file(value: Value) -> str:
    """The path of a case's file among the predictions."""
    path = text(value)
    parts = path.split("/")
    if path.count("{case}") != 1 or "\\" in path or any(part in {"", ".", ".."} for part in parts):
        raise Refused(f"is {quoted(path)}; write a relative path with {{case}} in it, such as {{case}}.nii.gz")
    return path


def _names(value: Value) -> tuple[str, ...]:
    """Different names, in order."""
    if not isinstance(value.content, tuple) or not value.content:
        raise Refused(f"{value.found if value.content else 'is empty'}; write a list of names, such as [file, class]")
    names = [name for item in value.items() if (name := accept(item, text, None))]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"has {quoted(twice)} twice; write each name once")
    return tuple(names)


def _ranking(section: Section, defaults: RankingPolicy) -> RankingPolicy:
    return RankingPolicy(
        choose=section.read("choose", choice("best", "last", "all", "team"), defaults.choose),
        ties=section.read("ties", choice("min"), defaults.ties),
    )


def _file_name(value: Value) -> str:
    """The name of a CSV file, without folders."""
    name = text(value)
    if "/" in name or "\\" in name or not PurePosixPath(name).stem or PurePosixPath(name).suffix.lower() != ".csv":
        raise Refused(f"{value.found}; write the plain name of a CSV file, such as cases.csv, without folders")
    return name


def _json_name(value: Value) -> str:
    """The name of a JSON file, without folders."""
    name = text(value)
    if "/" in name or "\\" in name or not PurePosixPath(name).stem or PurePosixPath(name).suffix.lower() != ".json":
        raise Refused(f"{value.found}; write the plain name of a JSON file, such as predictions.json, without folders")
    return name


def _case_patterns(value: Value) -> tuple[str, ...]:
    """One pattern over paths, or a list of them."""
    items = value.items() if isinstance(value.content, tuple) else (value,)
    if not items:
        raise Refused('is an empty list; write a pattern such as "{case}_*.nii.gz"')
    return tuple(pattern for item in items if (pattern := accept(item, _case_pattern, None)))


def _case_pattern(value: Value) -> str:
    if isinstance(value.content, dict):  # {case}_* without quotes is a mapping
        raise Refused('is a mapping; write the pattern in quotes, such as "{case}_*.nii.gz"')
    pattern = text(value)
    try:
        case_pattern(pattern)
    except ValueError as error:
        raise Refused(f"is {quoted(pattern)}, which {error}") from None
    return pattern


def _pattern(value: Value) -> str:
    """A glob over file names."""
    pattern = text(value)
    if "/" in pattern or "\\" in pattern or pattern in {".", ".."}:
        raise Refused(f"is {quoted(pattern)}; write a pattern over file names, without folders, such as *.jpg")
    try:
        BlindPolicy(pattern, ()).hides()
    except PatternError as error:
        raise Refused(f"is {quoted(pattern)}, which {error}") from None
    return pattern
