"""What is said of a search: best, how sure, what mattered, whether more data would help."""

from pathlib import Path
from typing import Any

import fake
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from tasks import TASKS

from melodygan.commands.winner import adopt, experiment_command
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import read_params
from melodygan.tuning.charts import Axis
from melodygan.tuning.outcome import Sure, best_of, front, importances, rerun_key, sureness
from melodygan.tuning.page import Found, write_page
from melodygan.tuning.sampling import Search, pruner, sampler
from melodygan.tuning.scale import Growth, growths
from melodygan.tuning.setting import Objective, Setting
from melodygan.tuning.space import Between, OneOf, Space

SPACE = Space({"lr": Between(1e-4, 1e-2, log=True), "kind": OneOf(("a", "<b>"))}, {"steps": 7})
KNOWN = {"lr": FloatDistribution(1e-4, 1e-2, log=True),
         "kind": CategoricalDistribution(("a", "<b>"))}  # fmt: skip


def trial(key: int, values: list[float] | None, reason: str = "", **params: Any) -> FrozenTrial:
    """One of a search of `lr` and `kind`."""
    state = TrialState.COMPLETE if values else TrialState.FAIL
    notes = {"key": str(key), "values": params, "curve": [[5, 2.0], [7, 1.0]], "seconds": 3.0}
    known = {name: KNOWN[name] for name in params}
    return create_trial(
        state=state, values=values, params=params, distributions=known,
        user_attrs=notes | ({"reason": reason} if reason else {}),
    )  # fmt: skip


def study_of(trials: list[FrozenTrial], *directions: str) -> optuna.Study:
    study = optuna.create_study(directions=list(directions or ("minimize",)))
    study.add_trials(trials)
    return study


def held(study: optuna.Study) -> dict[str, FrozenTrial]:
    return {t.user_attrs["key"]: t for t in study.get_trials()}


def setting(*objectives: Objective) -> Setting:
    chosen = objectives or (Objective("error"),)
    return Setting("vqvae", TASKS["vqvae"], {"lr": 1e-3}, SPACE, chosen, 0, "base", "vqvae-1")


def test_the_best_is_a_complete_trial_by_the_direction_asked_for() -> None:
    trials = held(study_of([trial(0, [2.0]), trial(1, [1.0]), trial(2, None), trial(3, [3.0])]))
    assert (best := best_of(trials, Objective("error"))) and best.user_attrs["key"] == "1"
    assert (best := best_of(trials, Objective("f", True))) and best.user_attrs["key"] == "3"
    assert best_of({"0": trial(0, None)}, Objective("error")) is None


@pytest.mark.parametrize(
    ("baseline", "best", "higher", "wins"),
    [
        ((3.0, 3.0, 3.0), (1.0, 2.0, 2.9), False, 3),
        ((3.0, 1.5, 3.0), (1.0, 2.0, 2.9), False, 2),
        ((3.0, 3.0, 3.0), (1.0, 2.0, 3.0), False, 2),
        ((3.0, 3.0, 3.0), (1.0, None, 2.0), False, 2),
        ((3.0, None, 3.0), (1.0, 9.0, 2.0), False, 3),
        ((1.0, 1.0, 1.0), (2.0, 2.0, 0.5), True, 2),
    ],
)
def test_a_winner_is_kept_only_when_all_seeds_agree(
    baseline: Any, best: Any, higher: bool, wins: int
) -> None:
    sure = Sure(baseline, best, higher)
    assert (sure.wins, sure.agreed) == (wins, wins == 3)


def test_runs_with_more_seeds_are_put_beside_their_trials() -> None:
    old, new = trial(0, [3.0], lr=1e-3), trial(4, [1.0], lr=2e-3)
    again = {rerun_key(old, 1): trial(0, [3.5]), rerun_key(old, 2): trial(1, [3.6]),
             rerun_key(new, 1): trial(2, [1.5]), rerun_key(new, 2): trial(3, None)}  # fmt: skip
    assert sureness(old, new, again, False) == Sure((3.0, 3.5, 3.6), (1.0, 1.5, None), False)


def test_what_mattered_is_told_and_not_from_too_few_trials() -> None:
    rates = [1e-4, 1e-3, 1e-2, 3e-4, 3e-3, 2e-4, 5e-3, 7e-4]
    trials = [trial(i + 1, [abs(lr - 1e-3)], lr=lr, kind=("a", "<b>")[i % 2])
              for i, lr in enumerate(rates)]  # fmt: skip
    beyond = trial(0, [5.0], kind="a")  # the baseline lacks what the space does not have
    found = importances(study_of([*trials, beyond]))
    assert list(found) == ["lr", "kind"] and found["lr"] > 0.7
    assert sum(found.values()) == pytest.approx(1)
    assert importances(study_of(trials[:3])) == {}
    same = [trial(i + 1, [1.0], lr=lr, kind="a") for i, lr in enumerate(rates)]
    assert importances(study_of(same)) == {}


def test_the_front_has_what_nothing_beats_in_all_objectives() -> None:
    points = [[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [0.5, 0.5]]
    study = study_of([trial(i, p) for i, p in enumerate(points)], "minimize", "maximize")
    assert [t.values for t in front(study)] == [[0.5, 0.5], [1.0, 1.0], [2.0, 3.0]]


def test_the_sampler_is_a_function_of_seed_and_key_and_finds_a_minimum() -> None:
    def first(seed: int, key: str) -> float:
        study = optuna.create_study(sampler=sampler(seed, key))
        return float(study.ask().suggest_float("x", 0, 1))

    assert first(0, "1") == first(0, "1")
    assert len({first(seed, key) for seed in (0, 1) for key in ("1", "2")}) == 4
    study = optuna.create_study()
    for key in range(30):
        study.sampler = sampler(0, str(key))
        asked = study.ask()
        x = asked.suggest_float("x", 1e-4, 1, log=True)
        study.tell(asked, (x - 0.01) ** 2)
    assert 0.005 < study.best_params["x"] < 0.02


def test_a_trial_that_is_worse_than_the_median_is_ended_after_its_second_validation() -> None:
    study = optuna.create_study(pruner=pruner(10))
    for score in (1.0, 1.1, 1.2, 1.3):
        asked = study.ask()
        for step in (10, 20, 30, 40):
            asked.report(score, step)
            assert not asked.should_prune()
        study.tell(asked, score)
    poor, good = study.ask(), study.ask()
    ended = []
    for step in (10, 20, 30):
        poor.report(2.0, step)
        good.report(1.05, step)
        ended.append((poor.should_prune(), good.should_prune()))
    assert ended == [(False, False), (False, False), (True, False)]


def test_a_search_of_several_objectives_or_of_minutes_cuts_nothing_short() -> None:
    def of(*names: str) -> bool:
        return Search("s", SPACE, {}, 0, 3, names, lambda values: "").prune

    assert of("error") and not of("error", "chroma") and not of("minutes")


def growth(half: float, wholes: list[float]) -> Growth:
    runs = {f"whole-{i}": trial(i, [value]) for i, value in enumerate(wholes)}
    both = {"data-0.5": trial(5, [half]), "steps-0.5": trial(6, [half])}
    (data, _) = growths(runs | both)
    return data


def test_more_data_helps_only_when_it_does_so_beyond_what_seeds_change() -> None:
    assert growth(1.0, [0.5, 0.51, 0.49]).helps
    assert "would help: its second half took error from 1 to 0.5, 50% better" in growth(
        1.0, [0.5, 0.51, 0.49]
    ).sentence("error")
    for half, wholes in ((0.53, [0.5, 0.6, 0.4]), (0.5, [0.5, 0.51, 0.49]), (0.4, [0.5] * 3)):
        poor = growth(half, wholes)
        assert not poor.helps and "would not help" in poor.sentence("error")
    assert growths({"data-0.5": trial(5, [1.0])}) == [], "without the whole nothing is said"


def test_the_page_shows_all_parts_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    trials = [trial(0, [2.0, 1.0], lr=1e-3, kind="a"), trial(1, None, "<script>", lr=1e-2),
              trial(2, [1.0, 0.5], lr=2e-3, kind="<b>")]  # fmt: skip
    both = setting(Objective("error"), Objective("minutes"))
    study = study_of(trials, "minimize", "minimize")
    found = Found(both, held(study), frozenset({"2"}), {"lr": 0.9, "kind": 0.1}, None, ["done <i>"])
    write_page(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    for part in ("History", "Curves", "What mattered", "Slices", "Parallel coordinates",
                 "Pareto front", "Trials"):  # fmt: skip
        assert f"<h2>{part}</h2>" in page, part
    assert "<script" not in page and "<b>" not in page.replace("<figcaption><b>", "")
    assert "&lt;script&gt;" in page and "done &lt;i&gt;" in page and "steps 7" in page
    nothing = Found(both, {"1": trials[1]}, frozenset(), {}, None, [])
    write_page(nothing, tmp_path / "none.html")
    assert "<h2>Trials</h2>" in (tmp_path / "none.html").read_text("utf-8")


def test_axes_place_numbers_logarithms_and_names_and_keep_the_far_away_at_the_edge() -> None:
    log = Axis.along("lr", Between(1e-4, 1e-2, log=True), [1e-3])
    assert log.place(1e-3) == pytest.approx(0.5)
    assert [caption for _, caption in log.ticks()] == [
        "0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.005", "0.01",
    ]  # fmt: skip
    names = Axis.along("kind", OneOf(("a", "b")), ["c"])
    assert [names.place(name) for name in "abc"] == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    far = Axis.of("error", [1.0, 1.1, 1.2, 900.0], worst_high=True)
    assert far.high < 3 and far.place(900.0) == 1.0


def test_the_winner_goes_into_params_with_all_comments_and_as_a_number_to_any_reader(
    tmp_path: Path,
) -> None:
    path = tmp_path / "params.yaml"
    before = (fake.ROOT / "params.yaml").read_text()
    path.write_text(before)
    said = adopt("vqvae", {"lr": 1e-5, "codebook_size": 256, "commitment": 0.25}, path)
    assert said == ["vqvae.lr: 0.001 -> 1e-05", "vqvae.codebook_size: 512 -> 256"]
    text = path.read_text()
    assert "  lr: 1.0e-05" in text, "readers of YAML 1.1 take 1e-05 for a text"
    assert [x.partition("#")[2] for x in text.splitlines()] == [
        x.partition("#")[2] for x in before.splitlines()
    ]
    assert read_params(path)["vqvae"]["lr"] == 1e-5
    adopt("vocoder", {"magnet.lr": 0.5}, path)
    assert read_params(path)["vocoder"]["magnet"]["lr"] == 0.5
    with pytest.raises(UserError, match=r"tune.yaml does not fit .*: vqvae: stride 7"):
        adopt("vqvae", {"stride": 7}, path)


def test_the_command_for_an_experiment_names_stage_values_and_study() -> None:
    command = experiment_command("cyclegan", {"lr": 1e-3, "residual": False}, "cyclegan-12")
    assert command == [
        "dvc", "exp", "run", "-S", "cyclegan.lr=0.001", "-S", "cyclegan.residual=false",
        "-m", "cyclegan-12", "cyclegan",
    ]  # fmt: skip
