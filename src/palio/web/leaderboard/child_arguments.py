"""Settings of a challenge as a child process gets them: arguments of `call_bounded` are JSON. Free of Django."""

from typing import Any

from palio.core.bundle.model import Column, StatisticsPolicy


def policy_of(policy: dict[str, Any]) -> StatisticsPolicy:
    """JSON has no tuples."""
    return StatisticsPolicy(**policy | {"metrics": tuple((key, metric) for key, metric in policy["metrics"])})


def column_of(column: dict[str, Any]) -> Column:
    return Column(**column | {name: tuple(column[name]) for name in ("computation_keys", "computation_weights")})
