"""The page in a real browser: it plays, it fits a telephone, and it asks nobody for anything."""

from typing import Any

import pytest

from melodygan.evaluation.page import write_report


@pytest.fixture(scope="module")
def place(make_world: Any) -> str:
    """The address of a page of a small run."""
    world = make_world()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world.root)
        world.samples("gan", world.cuts("validation", 8))
        for track in world.of("test"):
            row = {"track": track, "source": "drone", "label": "pop"}
            kind = "conversion" if track.startswith("drone") else "reconstruction"
            world.add("other", kind, world.sounds[track], **row)
        world.declare("gan", "vocoder")
        sound = {"value": 0.731, "untrained": 0.753, "oracle": 0.383, "griffin_lim_32": 0.808}
        world.tested("vocoder", {"m_stft": sound, "log_mel_l1": sound})
        score = {"value": 0.6, "floor": 0.5, "shuffled": 1.0}
        world.tested("gan", {"order_auc": score}, "gan: order_auc 0.6: " + "works, so it does " * 9)
        groups, judge = world.groups(), world.judge()
        path = world.root / "metrics/report.html"
        write_report(path, groups, judge.scores(groups), judge, "")
    return path.as_uri()


def test_it_loads_nothing_and_says_nothing_in_the_console(browser: Any, place: str) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(place, wait_until="load")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [place]
    assert page.locator("audio").count() >= 10
    page.close()


def test_a_sound_plays(browser: Any, place: str) -> None:
    page = browser.new_page(bypass_csp=True)
    page.goto(place)
    assert page.evaluate("document.querySelector('audio').play().then(() => true)")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.1", timeout=30_000)
    length = page.evaluate("document.querySelector('audio').duration")
    assert length == pytest.approx(1.0, abs=0.2)
    page.close()


def test_what_a_score_stands_between_never_overlaps(browser: Any, place: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(place)
    boxes = page.evaluate(
        """[...document.querySelectorAll('svg.scale')].map(svg =>
             [...svg.querySelectorAll('text:not(.value)')].map(text => {
               const box = text.getBoundingClientRect(); return [box.left, box.right] }))"""
    )
    assert len(boxes) >= 15
    for (left, _), (_, right) in boxes:
        assert left >= 0 and right <= 390
    assert min(best[0] - worst[1] for worst, best in boxes) >= 4, "pixels"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_of_it_without_scrolling_sideways(
    browser: Any, place: str, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(place)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    widest = "Math.max(...[...document.querySelectorAll('figure, p, audio, svg')]"
    assert page.evaluate(f"{widest}.map(e => e.getBoundingClientRect().right))") <= 390
    small = "[...document.querySelectorAll('.scales svg text')].map(e => e.getBoundingClientRect()"
    assert min(page.evaluate(f"{small}.height)")) >= 11, "pixels; smaller letters cannot be read"
    page.close()
