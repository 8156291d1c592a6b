"""The children of one command, and what they have to do."""

import math
import time

from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from melodygan.pipeline.errors import UserError
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.pool import Pool
from melodygan.tuning.progress import Progress
from melodygan.tuning.setting import Setting
from melodygan.tuning.supervisor import Plan, Supervisor


class Session:
    """Works off plans, one after the other, with the same children."""

    def __init__(self, setting: Setting, pool: Pool) -> None:
        self.setting, self.pool = setting, pool

    def work(
        self, ledger: Ledger, plan: Plan, total: int | None, seconds: float | None, what: str = ""
    ) -> dict[str, FrozenTrial]:
        """Do the runs of a plan with progress; those that are done already count."""
        ended = [t for t in ledger.holders().values() if t.state.is_finished()]
        done = min(len(ended), total) if total else len(ended)
        name = f"{self.setting.stage}{what}"
        progress = Progress(name, self.setting.objectives[0], total, done, seconds)
        for trial in ended:
            progress.see(trial)
        deadline = time.monotonic() + seconds if seconds else math.inf
        try:
            return Supervisor(ledger, self.pool, plan, progress.tell, deadline).run()
        except (StorageInternalError, SQLAlchemyError) as error:
            said = str(error.__cause__ or error).strip().splitlines()[0]
            raise UserError(
                f"the storage does not answer any more ({said}): run the same command again"
            ) from None
        finally:
            progress.close()
