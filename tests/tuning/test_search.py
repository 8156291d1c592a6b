"""Searches with real child processes: what they leave, how they fail, and how they survive."""

import json
import re
from pathlib import Path
from typing import Any

import fake
import pytest
from optuna.trial import FrozenTrial, TrialState
from searching import SPACE, ThreadChild, start, until, write_space

from melodygan.cli import main
from melodygan.pipeline.params import read_params
from melodygan.tuning.jobs import Ended, Failed, Job
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.setting import prepare
from melodygan.tuning.storage import default_storage, open_storage, open_study
from melodygan.tuning.worker import Trials


def ledger(url: str | None = None, more: str = "") -> Ledger:
    """Of the search that tune.yaml here makes."""
    storage = open_storage(url or default_storage())
    name = prepare("vqvae").name + more
    return Ledger(storage, open_study(storage, name, ["minimize"]))


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches train in this process."""
    monkeypatch.setattr("melodygan.tuning.pool.Child", ThreadChild)


def files(*places: str) -> set[str]:
    return {str(p) for place in places for p in Path(place).rglob("*") if p.is_file()}


def results(held: dict[str, FrozenTrial]) -> dict[str, Any]:
    return {key: (t.state, t.values, t.user_attrs["values"]) for key, t in held.items()}


def test_a_search_shows_what_it_found_keeps_it_if_seeds_agree_and_leaves_nothing_else(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """There are no test tracks, and one of the rates ends in numbers that are none."""
    write_space(vqvae=SPACE | {"lr": [3e-3, 1e-2, 1e30]})
    before = read_params()
    assert main(["tune", "vqvae", "--trials", "6", "-j", "2"]) == 0
    said = capfd.readouterr().out
    held = ledger().holders()
    assert held.keys() == set(map(str, range(6)))
    assert held["0"].user_attrs["values"] == {"lr": 1e-3, "commitment": 0.25}, "of params.yaml"
    states = {t.state: t for t in held.values()}
    broken = states[TrialState.FAIL]
    assert broken.user_attrs["values"]["lr"] == 1e30
    assert re.search(r"became (nan|inf) at step \d+: lower vqvae.lr", broken.user_attrs["reason"])
    assert f"failed ({broken.user_attrs['reason']})" in said
    again = ledger(more="-seeds").holders()
    assert {t.user_attrs["seed"] for t in again.values()} == {1, 2} and len(again) == 4

    best = min((t for t in held.values() if t.values), key=lambda t: t.values[0])
    after = read_params()
    values = best.user_attrs["values"]
    one, other = (
        [t.values[0] for t in again.values() if of.items() <= t.user_attrs["values"].items()]
        for of in (values, held["0"].user_attrs["values"])
    )
    wins = 1 + sum(a < b for a, b in zip(one, other, strict=True))
    assert f"better with {wins} of 3 seeds" in said
    expected = before["vqvae"] | (values if wins == 3 else {})
    assert after == before | {"vqvae": expected}, "nothing but what was searched, not the steps"

    assert files("metrics", "models") == {"metrics/tune/vqvae.html"}
    assert files(".cache/checkpoints", ".cache/tune") <= {
        f".cache/tune/studies.db{end}" for end in ("", ".lock")
    }
    page = Path("metrics/tune/vqvae.html").read_text("utf-8")
    assert all(f"<h2>{part}</h2>" in page for part in ("History", "Curves", "Slices", "Trials"))
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|<script", page), "it loads nothing"


@pytest.mark.parametrize("kind", ["journal", "postgres"])
def test_of_two_workers_one_is_killed_and_the_other_does_all_that_is_left_once(
    project: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Both begin at once, in a storage that neither has seen."""
    url = request.getfixturevalue("postgres") if kind == "postgres" else "shared.journal"
    write_space(vqvae=SPACE | {"steps": 40})
    command = ("tune", "vqvae", "--trials", "3", "--storage", url)
    with start(*command, in_one=True) as doomed, start(*command, in_one=True) as other:
        book = ledger(url)

        def at_work() -> bool:
            trials = [t for t in book.holders().values() if t.state == TrialState.RUNNING]
            mine = [t for t in trials if t.user_attrs["owner"]["pid"] == doomed.pid]
            return any(t.intermediate_values for t in mine)

        until(at_work)
        doomed.kill()
        status, said = other.end(800)
        assert status == 0, said
    held = book.holders()
    assert held.keys() == set(map(str, range(3)))
    assert all(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in held.values()), said
    lost = [t for t in book.study.get_trials() if t.user_attrs.get("void") == "lost"]
    assert [t.user_attrs["owner"]["pid"] for t in lost] == [doomed.pid]
    taken = held[lost[0].user_attrs["key"]]
    assert taken.user_attrs["owner"]["pid"] == other.pid
    assert taken.user_attrs["values"] == lost[0].user_attrs["values"]
    assert "3 trials" in said


def test_a_search_that_was_killed_ends_as_one_that_was_not(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as here:
        here.setattr("melodygan.tuning.pool.Child", ThreadChild)
        assert main(["tune", "vqvae", "--trials", "3"]) == 0
    whole = results(ledger().holders())
    fake.change_params(project, {"vqvae": {"lr": 1e-3, "commitment": 0.25}})
    url = "sqlite:///other.db"
    with start("tune", "vqvae", "--trials", "3", "--storage", url) as killed:
        book = ledger(url)
        until(lambda: bool("1" in (held := book.holders()) and held["1"].intermediate_values))
        killed.kill()
    assert main(["tune", "vqvae", "--trials", "3", "--storage", url]) == 0
    assert results(book.holders()) == whole
    assert len(book.lost("1")) <= 1
    capfd.readouterr()
    assert main(["tune", "vqvae", "--trials", "3", "--storage", url]) == 0
    assert " of 3, " not in capfd.readouterr().out, "nothing is run again"


def test_several_objectives_give_a_front_with_a_command_for_each(
    project: Path, threads: None, capfd: pytest.CaptureFixture[str]
) -> None:
    before = Path("params.yaml").read_bytes()
    among = ["--objectives", "log_mel_l1,perplexity:max"]
    assert main(["tune", "vqvae", "--trials", "3", *among]) == 0
    said = capfd.readouterr().out
    fronts = re.findall(r"^  log_mel_l1 ([\d.]+), perplexity ([\d.]+): dvc exp run -S", said, re.M)
    points = [(float(a), float(b)) for a, b in fronts]
    assert points and all(not (a[0] < b[0] and a[1] > b[1]) for a in points for b in points), (
        "none beats another"
    )
    assert "<h2>Pareto front</h2>" in Path("metrics/tune/vqvae.html").read_text("utf-8")
    assert Path("params.yaml").read_bytes() == before


def test_more_data_and_more_training_are_weighed_against_seeds(
    project: Path, threads: None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["scale", "vqvae"]) == 0
    said = capfd.readouterr().out
    assert re.search(r"^more data would (not )?help", said, re.M)
    assert re.search(r"^more training would (not )?help", said, re.M)
    page = Path("metrics/tune/vqvae-scale.html").read_text("utf-8")
    minutes = re.findall(r"<td>(whole|data|steps)-([\d.]+)</td><td class=\"n\">([\d.]+)", page)
    sizes = {f"{kind}-{size}": float(length) for kind, size, length in minutes}
    assert sizes["data-0.25"] < sizes["data-0.5"] < sizes["whole-0"] == sizes["steps-0.5"]


def run(trials: Trials, key: str, **more: Any) -> tuple[Ended | Failed, list[int]]:
    heard: list[int] = []

    def observe(step: int, scores: dict[str, float]) -> str:
        heard.append(step)
        return ""

    end = trials.run(Job("study", key, {"validate_every": 5}, **more), observe)
    trials.stage.forget()
    return end, heard


def test_a_trials_score_does_not_depend_on_what_its_process_did_before(project: Path) -> None:
    trials = Trials("vqvae")
    first, heard = run(trials, "a")
    other, _ = run(trials, "b", seed=1)
    again, _ = run(trials, "c")
    assert isinstance(first, Ended) and isinstance(again, Ended) and isinstance(other, Ended)
    assert (first.scores, heard) == (again.scores, [5, 10])
    assert first.scores != other.scores
    assert isinstance(part := run(trials, "d", share=0.5)[0], Ended)
    assert part.minutes == pytest.approx(first.minutes / 2)
    assert not Path("models").exists() and not Path("metrics").exists()


def test_what_cannot_be_trained_is_told_with_its_reason(project: Path) -> None:
    trials = Trials("vqvae")
    end = trials.run(Job("study", "a", {"stride": 7}), lambda step, scores: "")
    assert end == Failed("params.yaml: vqvae: stride 7 must be even", early=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["features"], "stage features trains nothing"),
        (["vqvae", "--objectives", "a,,b"], "give names with commas between"),
        (["vqvae", "--objectives", "a:min"], "give names with commas between"),
        (["vqvae", "--storage", "nonsense://x"], "needs a driver"),
    ],
)
def test_what_cannot_be_searched_is_told_in_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["tune", *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_an_unknown_objective_is_told_with_the_known_ones(
    project: Path, threads: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "vqvae", "--trials", "2", "--objectives", "loudness"]) == 1
    assert "no score loudness (known: log_mel_l1, " in capsys.readouterr().err


def test_params_that_cannot_begin_end_the_search_with_the_reason(
    project: Path, threads: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when all tracks are shorter than a training example."""
    fake.change_params(project, {"vqvae": {"crop": 6400}})
    assert main(["tune", "vqvae", "--trials", "2"]) == 1
    assert "the first run cannot begin: no track has 6400 frames" in capsys.readouterr().err


def test_the_study_is_another_exactly_for_what_cannot_be_compared(project: Path) -> None:
    name = prepare("vqvae").name
    fake.change_params(project, {"vqvae": {"lr": 0.5, "commitment": 0.0}})
    assert prepare("vqvae").name == name, "these are searched"
    fake.change_params(project, {"vqvae": {"channels": 24}})
    assert prepare("vqvae").name != name
    fake.change_params(project, {"vqvae": {"channels": 16}})
    assert prepare("vqvae").name == name
    write_space(vqvae=SPACE | {"steps": 25})
    assert prepare("vqvae").name != name
    write_space(vqvae=SPACE)
    assert prepare("vqvae", "perplexity").name != name
    index = project / "data/features/index.jsonl"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    index.write_text("".join(json.dumps(row) + "\n" for row in rows[::-1]))
    assert prepare("vqvae").name != name
