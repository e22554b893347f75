"""The `palio:` block of a phase: what its rules have that the defaults have not. Codabench ignores the block."""

from dataclasses import fields
from typing import Any

from palio.core.bundle.codabench_export.files import NamedFiles
from palio.core.bundle.defaults import default_rules
from palio.core.bundle.model import (
    BlindPolicy,
    FeedbackPolicy,
    FeedbackRule,
    MonaiPolicy,
    Phase,
    Presentation,
    Rules,
    StatisticsPolicy,
)
from palio.core.bundle.rules import without_output
from palio.core.engine import BuildLimits, Limits

_LIMITS = {
    "time_s": "time",
    "memory_bytes": "memory",
    "size_bytes": "size",
    "shm_bytes": "shm",
    "output_bytes": "output",
    "output_files": "files",
}


def is_foreign(phase: Phase, time_limit_s: float) -> bool:
    """Whether the rules are those of a phase without any `palio:` block in its bundle."""
    rules = default_rules(phase.tasks, native=False, time_limit_s=time_limit_s)
    return phase.rules == (without_output(rules, None) if phase.hide_output else rules)


def palio_block(phase: Phase, time_limit_s: float, files: NamedFiles) -> dict[str, Any]:
    """The block from which the phase's rules are read again."""
    rules = phase.rules
    base = default_rules(phase.tasks, native=True, time_limit_s=time_limit_s)
    block: dict[str, Any] = {"data": rules.data}  # always there, so that the bundle is known to have a block
    if rules.submissions != base.submissions:
        block["submissions"] = [kind.value for kind in rules.submissions]
    limits = {
        stage: changed
        for stage in ("build", "predict", "score")
        if (changed := _changed_limits(getattr(rules, stage), getattr(base, stage)))
    }
    logs = _changed_logs(rules, base, hidden=phase.hide_output)
    block |= {"limits": limits} if limits else {}
    block |= {"logs": logs} if logs else {}
    if rules.feedback != base.feedback:
        block["feedback"] = _feedback(rules.feedback)
    if rules.sample:
        sample = {"input": rules.sample.input, "expect": rules.sample.expect}
        block["sample"] = {key: files.name(path) for key, path in sample.items() if path}
        block["sample"] |= {} if rules.sample.twice else {"twice": False}
    if rules.blind:
        block["blind"] = _blind(rules.blind)
    if rules.statistics:
        block["statistics"] = _statistics(rules.statistics)
    if rules.ranking != base.ranking:
        block["ranking"] = {"choose": rules.ranking.choose, "ties": rules.ranking.ties}
    if rules.engine:
        block["engine"] = rules.engine
    if monai := _monai(rules.monai, base.monai):
        block["monai"] = monai
    return block


def presentation_block(shown: Presentation, files: NamedFiles) -> dict[str, Any]:
    """The keys from which the challenge's presentation is read again."""
    block: dict[str, Any] = {
        "accent": shown.accent,
        "cover": files.name(shown.cover),
        "tags": {name: list(words) for name, words in vars(shown.tags).items() if words},
        "organizers": [{key: text for key, text in vars(each).items() if text} for each in shown.organizers],
        "prize": shown.prize,
        "citation": shown.citation,
        "discussion": shown.discussion,
    }
    return {key: value for key, value in block.items() if value}


def _feedback(policy: FeedbackPolicy) -> str | dict[str, Any]:
    match policy.rule:
        case FeedbackRule.ROUNDED:
            return {"rule": policy.rule.value, "digits": policy.digits}
        case FeedbackRule.LADDER if not policy.is_parameter_free:
            return {"rule": policy.rule.value, "step": policy.step}
    return policy.rule.value


def _statistics(policy: StatisticsPolicy) -> dict[str, Any]:
    values: dict[str, Any] = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {name: value for name, value in (values | {"metrics": dict(policy.metrics)}).items() if value}


def _monai(policy: MonaiPolicy, base: MonaiPolicy) -> dict[str, Any]:
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != getattr(base, name)
    }


def _changed_limits(limits: Limits | BuildLimits, base: Limits | BuildLimits) -> dict[str, Any]:
    changed = {}
    for field in fields(limits):
        value = getattr(limits, field.name)
        if value != getattr(base, field.name):
            changed[_LIMITS.get(field.name, field.name)] = _plain(value)
    return changed


def _plain(number: float) -> float | int:
    if isinstance(number, bool):
        return number
    return int(number) if float(number).is_integer() else round(number, 9)


def _changed_logs(rules: Rules, base: Rules, *, hidden: bool) -> dict[str, str]:
    stages = ("sample",) if hidden else ("sample", "predict", "score")  # `hide_output` sets the others
    return {
        stage: policy.value
        for stage in stages
        if (policy := getattr(rules, f"logs_{stage}")) != getattr(base, f"logs_{stage}")
    }


def _blind(blind: BlindPolicy) -> dict[str, Any]:
    restore: list[dict[str, str]] = [{"csv": each.csv, "column": each.column} for each in blind.restore]
    restore += [{"json": name} for name in blind.restore_json]
    block: dict[str, Any] = {"inputs": blind.inputs}
    block |= {"case": list(blind.case)} if blind.case else {}
    block |= {"restore": restore} if restore else {}
    return block
