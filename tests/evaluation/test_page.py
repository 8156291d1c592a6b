"""metrics/report.html: complete, self-contained, the same every time, and open to new models."""

import base64
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from fake import AUDIO

from melodygan.evaluation.page import write_report
from melodygan.evaluation.players import mp3
from melodygan.pipeline.files import write_json

ROOT = Path(__file__).resolve().parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
VERDICT = "gan: time_distance 0.3 (baseline 0.9, ideal 0): works, 60% of the way; next: more data"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</td></table></main><h1>",
    "abc\u202e3pm.exe\u2066",
    "$title ${content} %s {0}",
]


class Tags(HTMLParser):
    """The page's tags in order, and what their attributes load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for key, value in attrs if key in ("src", "href")]


def fill(world: Any, name: str = "zebra") -> None:
    """A run of two models that made something and one, unknown to the code, that did not."""
    world.samples("gan", world.cuts("validation", 8))
    for track in world.of("test"):
        label = track.split("-")[0]
        row = {"track": track, "source": label, "label": label}
        world.add("coder", "reconstruction", world.sounds[track], **row)
    world.declare("coder", "gan", "strange")
    world.tested("gan", {"order_auc": {"value": 0.6, "floor": 0.5, "shuffled": 1.0}}, VERDICT)
    world.tested("coder", {"log_mel_l1": 0.3, "baseline_log_mel_l1": 1.2})
    world.tested("strange", {"sharpness": {"value": 2.5}, name: 7}, f"strange: {name}")


def page(world: Any) -> str:
    judge, groups = world.judge(), world.groups()
    path = world.root / "metrics/report.html"
    write_report(path, groups, judge.scores(groups), judge, "no jury: do this")
    return path.read_text("utf-8")


def words(text: str) -> str:
    return re.sub(
        r"\s+", " ", html.unescape(re.sub("<style>.*?</style>|<[^>]*>", " ", text, flags=re.S))
    )


def test_every_model_has_its_verdict_scores_and_settings_also_one_that_nobody_foresaw(
    world: Any,
) -> None:
    fill(world)
    text = words(page(world))
    assert "gan time_distance 0.3 (baseline 0.9, ideal 0): works, 60% of the way" in text
    for model in ("coder", "gan", "strange"):
        assert f"The {model}." in text
    assert "sharpness 2.5." in text and "zebra 7" in text
    assert "80% of the way from shuffled real columns to real music." in text
    assert "75% of the way from the baseline to perfect." in text
    assert "best_step 5" in text and "steps 7" in text
    assert "no jury: do this" in text and "test tracks for 0.1" in text


def test_what_was_made_is_heard_beside_the_real_thing(world: Any) -> None:
    fill(world)
    made = page(world)
    captions = [
        words(c).strip()
        for c in re.findall(r"<figcaption>(.*?)</figcaption><svg class=.chart", made)
    ]
    assert captions == [
        "invented , clip 1", "invented , clip 2", "invented , clip 3",
        "real , drone-6 , drone", "real , drone-7 , drone", "real , pop-6 , pop",
        "drone-6 , the true sound, drone", "drone-6 , rebuilt",
        "pop-6 , the true sound, pop", "pop-6 , rebuilt",
    ]  # fmt: skip
    sounds = re.findall(r'src="data:audio/mpeg;base64,([^"]*)"', made)
    assert len(sounds) == len(captions)
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds[-1])))
    true = world.sounds["pop-6"]
    assert rate == world.features.audio.sample_rate and abs(len(heard) - len(true)) < 0.2 * rate
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(true**2)), rel=0.1)


def test_an_extraction_is_heard_beside_its_mix_and_its_figures_are_not_judged(world: Any) -> None:
    stems = world.stems()
    (track, *_) = world.of("test")
    row = {"track": track, "source": "mix", "label": "instrumental"}
    world.add("taker", "extraction", stems[track], **row)
    world.declare("taker")
    error = {"value": 0.6, "identity": 0.9, "average_mask": 0.8, "separator": 0.4}
    world.tested("taker", {"log_mel_l1": error}, "taker: works")
    text = words(page(world))
    assert f"{track} , the true sound, mix" in text
    assert f"{track} , reduced to instrumental" in text
    assert "25% of the way from one mask for all music to perfect." in text
    assert text.count("% of the way") == 1
    assert re.search(r"0, the mix [0-9.]+\.", text)


def stems(world: Any, *names: str) -> str:
    """The words of a page of stems of these names, of which `declare` says that they are there."""
    folder = world.root / "metrics/separate"
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: f"{number}.flac" for number, name in enumerate(names)}
    for number, file in enumerate(files.values()):
        sound = world.sounds["pop-0"][: AUDIO.sample_rate + number]
        soundfile.write(folder / file, sound, AUDIO.sample_rate)
    said = {"track": "x<1>", "label": "pop", "files": files} if files else {}
    write_json(folder / "sample.json", said)
    gain = {"mean": 10.09, "min": 8.06}
    scores = {"tracks": 3, "scored": 2, "si_sdr_improvement_db": gain} if files else {"tracks": 3}
    write_json(world.root / "metrics/separate.json", scores)
    table = {"evaluate": {"deps": ["metrics/separate", "metrics/separate.json"]}}
    (world.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": table}))
    return page(world)


def test_separated_stems_are_heard_beside_the_true_ones_or_beside_the_mixture(world: Any) -> None:
    world.samples("gan", world.cuts("validation", 8))
    truth = ("mixture", "true vocals", "vocals", "true instrumental", "instrumental")
    made = stems(world, *truth)
    captions = [words(c).strip() for c in re.findall(r"<figcaption>(.*?)</figcaption>", made)]
    assert captions[-5:] == [
        "mixture", "true vocals", "vocals , separated", "true instrumental",
        "instrumental , separated",
    ]  # fmt: skip
    assert "the true stems beside the separated ones. 10.1 dB nearer" in words(made)
    assert "2 tracks; 8.1 dB on the worst" in words(made)
    assert made.count('<audio controls preload="metadata" aria-label="x&lt;1&gt;, ') == 5
    unknown = words(stems(world, "mixture", "vocals", "instrumental"))
    assert "the mixture beside the separated stems; the true ones are not known." in unknown
    assert 'id="separate"' not in stems(world), "nothing was separated"


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_loaded_and_hostile_names_change_nothing_but_text(world: Any, name: str) -> None:
    world.declare("strange")
    world.samples("gan", world.cuts("validation", 8))
    world.tested("strange", {"zebra": 7}, "strange: zebra")
    usual = Tags(page(world))
    world.tested("strange", {name: 7}, f"strange: {name}")
    hostile = page(world)
    assert Tags(hostile).tags == usual.tags
    loads = [load for load in Tags(hostile).loads if not load.startswith("#")]
    assert loads and all(load.startswith(("data:image/png;", "data:audio/mpeg;")) for load in loads)
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(usual.tags)
    assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069]", hostile)


def test_the_same_results_give_the_same_bytes(world: Any) -> None:
    fill(world)
    assert page(world) == page(world)


def test_a_sound_takes_eight_kilobytes_a_second() -> None:
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(10 * 22050).astype(np.float32)
    assert len(mp3(sound, 22050)) < 90_000


def test_every_training_stage_is_on_the_page() -> None:
    trained = {stage for stage, entry in STAGES.items() if f"models/{stage}" in entry["outs"]}
    assert len(trained) >= 4
    deps = STAGES["evaluate"]["deps"]
    for stage in trained:
        assert {f"metrics/{stage}.json", f"metrics/{stage}/run.json"} <= set(deps), stage
