"""`melodygan scale`: is the data enough, and would longer training help?"""

from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.pool import Pool
from melodygan.tuning.sampling import Listed
from melodygan.tuning.scale import conclusion, jobs, steps_of, write_scale_page
from melodygan.tuning.session import Session
from melodygan.tuning.setting import prepare
from melodygan.tuning.storage import default_storage, open_storage, open_study


def scale(stage: str, workers: int, url: str | None) -> None:
    """Train with a quarter, a half and all of the data and of the steps; say what more would bring.

    Killed, the same command goes on. Writes metrics/tune/STAGE-scale.html. Raises UserError for a
    stage that trains nothing.
    """
    setting = prepare(stage, searched=False)
    storage = open_storage(url or default_storage())
    study = open_study(storage, setting.name, ["minimize"])
    plan = Listed(jobs(setting, steps_of(setting)), (setting.objectives[0].name,))
    pool = Pool(stage, setting.base, workers)
    try:
        session = Session(setting, pool)
        held = session.work(Ledger(storage, study), plan, len(plan.jobs), None, ", scale")
    finally:
        pool.close()
    said = conclusion(setting, held)
    if not any(trial.values for trial in held.values()):
        raise UserError(said[0])
    page = Path("metrics/tune", f"{stage}-scale.html")
    write_scale_page(setting, held, said, page)
    print("\n".join([*said, f"{page} has the picture"]))
