"""The bubblewrap engine: runs jobs in sandboxes on this machine, without Docker or special privileges."""

from palio.engines.bubblewrap.availability import why_unavailable
from palio.engines.bubblewrap.engine import BubblewrapEngine

__all__ = ["BubblewrapEngine", "why_unavailable"]
