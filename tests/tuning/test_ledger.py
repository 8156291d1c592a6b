"""Claims: one holder of a key, whoever else wanted it, and whatever was killed."""

import ast
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from optuna.trial import TrialState
from searching import until

from melodygan.pipeline.errors import UserError
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.owners import Owner, ended, this_process
from melodygan.tuning.storage import open_storage, open_study

Open = Callable[..., Ledger]


@pytest.fixture(params=["sqlite", "journal", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open the ledger of one study, each time through a connection of its own."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
    else:
        urls = {"sqlite": f"sqlite:///{tmp_path}/a.db", "journal": f"{tmp_path}/a.journal"}
        url = urls[request.param]
    name = f"{tmp_path.name}-{request.param}"

    def of(owner: Owner | None = None, grace: float = 60.0) -> Ledger:
        storage = open_storage(url)
        return Ledger(storage, open_study(storage, name, ["minimize"]), owner, grace)

    return of


def dead_process() -> Owner:
    """The owner that a process was which has ended."""
    return this_process() | {"pid": subprocess.Popen(["true"]).pid, "started": 1.0}


def elsewhere() -> Owner:
    return this_process() | {"machine": "another", "host": "another"}


def test_of_many_claims_at_once_one_holds_the_key(opened: Open) -> None:
    opened()
    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda _: opened().claim("0"), range(6)))
    won = [claim for claim in claims if claim]
    assert len(won) == 1
    ledger = opened()
    assert ledger.holders()["0"].number == won[0].number
    others = [t for t in ledger.study.get_trials() if t.number != won[0].number]
    assert {(t.state, t.user_attrs["void"]) for t in others} == {(TrialState.FAIL, "claimed twice")}


def test_a_dead_owners_key_is_open_again_once_and_its_trial_stays_on_record(opened: Open) -> None:
    first = opened(dead_process()).claim("0", attributes={"values": {"lr": 0.1}})
    assert first
    ledger, other = opened(), opened()
    held = ledger.holders()["0"]
    assert ledger.dead(held) and not ledger.dead(_own(ledger))
    ledger.give_up(held.number)
    other.give_up(held.number)  # it saw the same
    assert "0" not in ledger.holders()
    assert [t.user_attrs["values"] for t in ledger.lost("0")] == [{"lr": 0.1}]
    claims = [ledger.claim("0"), other.claim("0")]
    assert [bool(claim) for claim in claims] == [True, False]


def _own(ledger: Ledger) -> object:
    ledger.claim("own")
    return ledger.holders()["own"]


def test_an_owner_elsewhere_is_dead_only_when_its_heart_stands_still(opened: Open) -> None:
    far = opened(elsewhere())
    trial = far.claim("0")
    assert trial
    near = opened(grace=0.3)
    assert not near.dead(near.holders()["0"])
    for _ in range(4):
        time.sleep(0.15)
        assert far.beat(trial)
        assert not near.dead(near.holders()["0"])
    time.sleep(0.4)
    assert near.dead(near.holders()["0"])


def test_one_that_was_taken_for_dead_cannot_write_its_result(opened: Open) -> None:
    far, near = opened(elsewhere()), opened()
    trial = far.claim("0")
    assert trial
    near.give_up(trial.number)
    again = near.claim("0")
    assert again
    assert not far.beat(trial)
    assert not far.finish(trial, TrialState.COMPLETE, [1.0], {})
    assert near.finish(again, TrialState.COMPLETE, [2.0], {"curve": [[1, 2.0]]})
    assert opened().holders()["0"].values == [2.0]
    assert near.finish(again, TrialState.COMPLETE, [3.0], {}) is False, "it is written once"


def test_a_journals_unfinished_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    storage = open_storage(str(path))
    ledger = Ledger(storage, open_study(storage, "s", ["minimize"]))
    ledger.claim("0")
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"work')
    storage = open_storage(str(path))
    again = Ledger(storage, open_study(storage, "s", ["minimize"]))
    assert again.claim("1") and again.holders().keys() == {"0", "1"}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense://a", "needs a driver"),
        ("postgresql://me:secret@127.0.0.1:1/x", "does not work: .*onnection"),
        ("://", "is no URL"),
        ("/", "does not work: Is a directory"),
        ("/proc/a/b.journal", "does not work: No such file"),
        ("sqlite:////proc/a.db", "does not work: No such file"),
    ],
)
def test_a_storage_that_does_not_work_is_told_in_one_line_without_its_password(
    url: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        open_storage(url)
    assert len(str(error.value).splitlines()) == 1 and "secret" not in str(error.value)


@pytest.mark.parametrize("place", ["{}", "sqlite:///{}"])
def test_a_file_that_is_no_storage_is_left_as_it_is(tmp_path: Path, place: str) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("lr: 1\nno line end")
    with pytest.raises(UserError, match=r"is no journal|is not a database"):
        open_storage(place.format(notes))
    assert notes.read_text() == "lr: 1\nno line end"


def test_a_process_is_seen_to_live_until_it_is_killed_and_by_its_number_alone_not() -> None:
    assert ended(this_process()) is False
    assert ended(this_process() | {"started": 5.0}) is True, "the number was given anew"
    assert ended(elsewhere()) is None
    say = "from melodygan.tuning.owners import *; print(this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", say], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        owner = ast.literal_eval(other.stdout.readline())
        assert owner["pid"] == other.pid and ended(owner) is False
        other.kill()
        until(lambda: ended(owner) is True)  # though nobody has asked yet how it ended
    assert ended(owner) is True
