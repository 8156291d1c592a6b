"""What makes a stage a stage: typed parameters, the dependency guard, the side cache of tracks."""

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.stage import Stage, run

__all__ = ["Stage", "UserError", "run"]
