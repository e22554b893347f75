"""The Kubernetes engine: each job is a batch/v1 Job with one pod. Needs the extra `palio[kubernetes]`."""

from palio.engines.kubernetes.availability import why_unavailable
from palio.engines.kubernetes.engine import KubernetesEngine

__all__ = ["KubernetesEngine", "why_unavailable"]
