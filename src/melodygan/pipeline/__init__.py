"""What makes a stage a stage: typed parameters, the dependency guard, the side cache of tracks."""

from melodygan.pipeline.process import end_on_interrupt

end_on_interrupt()  # before what takes long to import

from melodygan.pipeline.errors import UserError  # noqa: E402
from melodygan.pipeline.stage import Stage, run  # noqa: E402

__all__ = ["Stage", "UserError", "run"]
