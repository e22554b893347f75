"""Jobs in sandboxes that bubblewrap makes, for one's own machine: no Docker and no special rights are needed."""

from palio.engines.bubblewrap.availability import why_unavailable
from palio.engines.bubblewrap.engine import BubblewrapEngine

__all__ = ["BubblewrapEngine", "why_unavailable"]
