"""The page as a person uses it, in a real browser, over models that were never trained."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from melodygan.cli import main

PAGES = ("listen", "generate", "live", "convert", "explore", "train", "data")


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """The page, freshly opened by somebody new."""
    context = browser.new_context(bypass_csp=True, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(server.address)
    yield opened
    context.close()


def turn_to(page: Any, name: str) -> None:
    page.click(f"nav a[href='#{name}']")
    page.wait_for_selector(f"#{name}:not([hidden])")


def generate(page: Any, seconds: str, model: str = "latent_prior") -> None:
    """Ask for a piece."""
    turn_to(page, "generate")
    page.wait_for_selector("#generate-form button.primary:enabled")
    page.fill("#generate-form [name=seconds]", seconds)
    page.click("#generate-form button.primary")


def test_it_asks_nobody_else_and_says_nothing_in_the_console(browser: Any, server: Any) -> None:
    opened = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(server.address)
    for name in PAGES:
        turn_to(opened, name)
        opened.wait_for_timeout(150)
    opened.wait_for_selector("#explore-form button.primary:enabled", state="attached")
    assert said == []
    assert len(asked) > 10 and all(url.startswith(server.address) for url in asked)
    opened.close()


def test_what_the_pipeline_made_is_there_to_hear(page: Any) -> None:
    page.wait_for_selector("#gallery figure")
    assert page.locator("#gallery figure").count() == 8
    assert "order_auc 0.6: works" in page.inner_text("#gallery .verdict")
    assert page.evaluate("document.querySelector('#gallery audio').play().then(() => true)")
    page.wait_for_function("document.querySelector('#gallery audio').currentTime > 0.1")


def test_a_piece_is_generated_heard_and_saved(page: Any) -> None:
    generate(page, "1.5")
    page.wait_for_selector("[data-deed=generate] audio")
    page.evaluate("document.querySelector('[data-deed=generate] audio').play()")
    page.wait_for_function("document.querySelector('[data-deed=generate] audio').currentTime > .1")
    with page.expect_download() as download:
        page.click("[data-deed=generate] a[download]")
    assert download.value.suggested_filename == "melodygan-generate-000.wav"
    sound, rate = soundfile.read(download.value.path())
    assert rate == 8000 and len(sound) == 12_000 and sound.std() > 0


def test_an_uploaded_song_is_converted_and_compared_at_the_same_place(
    page: Any, song: Path
) -> None:
    turn_to(page, "convert")
    page.set_input_files("#convert-form input[type=file]", song)
    page.select_option("#convert-form [name=direction]", label="drone (from beat)")
    page.click("#convert-form button.primary:enabled")
    page.wait_for_selector("[data-deed=convert] audio")
    assert "My song.flac into drone" in page.inner_text("[data-deed=convert]")
    assert "LUFS" in page.inner_text("[data-deed=convert]")
    audio = "document.querySelector('[data-deed=convert] audio')"
    page.evaluate(f"{audio}.play()")
    page.wait_for_function(f"{audio}.currentTime > 0.5")
    after = page.evaluate(f"{audio}.src")
    page.get_by_role("radio", name="before").check()
    page.wait_for_function(f"{audio}.currentTime > 0.5 && !{audio}.paused")
    assert page.evaluate(f"{audio}.src") != after
    assert 3.9 < page.evaluate(f"{audio}.duration") < 4.1


def test_work_outlives_a_reload_and_can_be_cancelled(page: Any) -> None:
    generate(page, "600")
    page.wait_for_selector("[data-deed=generate] progress")
    page.reload()
    page.wait_for_function("document.querySelector('[data-deed=generate] progress')?.value > 0.005")
    page.click("[data-deed=generate] button:has-text('Cancel')")
    page.wait_for_selector("[data-deed=generate] >> text=cancelled")
    generate(page, "1")
    page.wait_for_selector("[data-deed=generate] audio")
    page.click("[data-deed=generate] article:has(audio) button:has-text('Remove')")
    page.wait_for_selector("[data-deed=generate] audio", state="detached")


def test_live_music_sounds_soon_and_obeys_while_it_plays(page: Any) -> None:
    turn_to(page, "live")
    page.wait_for_selector("#live-button:enabled")
    page.click("#live-button")
    page.wait_for_function("window.melodyganLive?.heard > 0")
    loud = """() => { const values = new Float32Array(2048);
        window.melodyganLive.analyser.getFloatTimeDomainData(values);
        return Math.max(...values) > 0 }"""
    page.wait_for_function(loud)
    page.wait_for_function("document.querySelector('#live-speed').textContent.match(/[0-9]/)")
    page.select_option("#live-form [name=label]", "drone")
    page.wait_for_selector("#live-status >> text=Playing drone")
    heard = page.evaluate("window.melodyganLive.heard")
    page.wait_for_function(f"window.melodyganLive.heard > {heard} + 0.5")
    page.click("#live-button")
    page.wait_for_selector("#live-status >> text=Silent, after")
    assert page.inner_text("#live-button") == "Play"


def test_clips_are_explored_and_two_compared(page: Any) -> None:
    turn_to(page, "explore")
    page.click("#explore-form button.primary:enabled")
    page.wait_for_selector("[data-deed=explore] audio")
    sliders = page.locator("#directions input")
    assert sliders.count() == 6
    assert "% of how they differ" in page.inner_text("#directions")
    sliders.first.fill("2")
    page.select_option("#explore-form [name=other]", "1")
    assert "--to 1 --blend 0.5 --move=2,0,0,0,0,0" in page.inner_text("#explore-form .command")
    page.click("#explore-form button.primary")
    page.wait_for_selector("#ab audio")
    assert page.locator("#ab input[type=radio]").count() == 2


def test_files_are_checked_before_anything_is_trained(
    page: Any, song: Path, tmp_path: Path
) -> None:
    text = tmp_path / "<img src=x onerror=alert(1)> notes.txt"
    text.write_text("no music")
    turn_to(page, "data")
    page.set_input_files("#check-form input[type=file]", [song, text])
    page.click("#check-form button.primary:enabled")
    page.wait_for_selector("[data-deed=check] table")
    rows = page.locator("[data-deed=check] tbody tr").all_inner_texts()
    assert "My song.flac" in rows[0] and "can be used" in rows[0]
    assert "<img src=x onerror=alert(1)> notes.txt" in rows[1] and "can be used" not in rows[1]
    assert "1 of 2 files can be used" in page.inner_text("[data-deed=check]")


def test_training_shows_how_far_it_is_and_starts_and_ends(page: Any, project: Path) -> None:
    turn_to(page, "train")
    card = page.locator("#stages article", has_text="latent_prior")
    card.wait_for()
    assert "trained, step 10 of 10" in card.inner_text()
    assert "order_auc 0.6: works" in card.inner_text()
    assert card.locator("svg.curve").count() == 1
    assert "uv run dvc repro latent_prior" in card.inner_text()
    untrained = page.locator("#stages article", has_text="cyclegan")
    assert "not trained, step 0 of 10" in untrained.inner_text()
    untrained.get_by_role("button", name="Train cyclegan").click()
    page.wait_for_selector("#train-status >> text=failed")  # no DVC project in this folder
    page.click("summary:has-text('What it says')")
    assert "DVC" in page.inner_text("#train-lines")


def test_everything_can_be_done_with_the_keyboard_alone(page: Any) -> None:
    page.wait_for_selector("#gallery figure")
    tab_until(page, "a[href='#generate']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#generate:not([hidden])")
    page.wait_for_selector("#generate-form button.primary:enabled")
    tab_until(page, "#generate-form [name=seconds]")
    page.keyboard.press("Control+A")
    page.keyboard.type("1")
    tab_until(page, "#generate-form button.primary")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-deed=generate] audio")
    tab_until(page, "[data-deed=generate] button")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-deed=generate] audio", state="detached")


def tab_until(page: Any, selector: str) -> None:
    """Walk with the Tab key to an element, which must then show that it is the one."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(style) != "none"
            return
    raise AssertionError(f"Tab never comes to {selector}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_pages_and_an_accessibility_engine_finds_no_fault(
    browser: Any, server: Any, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, bypass_csp=True
    )
    page.goto(server.address)
    page.wait_for_selector("#gallery figure")
    for name in PAGES:
        turn_to(page, name)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, name
        found = Axe().run(page).response
        assert len(found["passes"]) > 15, name
        faults = [
            (fault["id"], [n["target"] for n in fault["nodes"]]) for fault in found["violations"]
        ]
        assert faults == [], name
        small = page.evaluate(
            """name => [...document.querySelectorAll(`#${name} button, #${name} select`)]
               .filter(e => e.offsetHeight && e.offsetHeight < 24).length""",
            name,
        )
        assert small == 0, f"{name}: too small for a thumb"
    page.close()


def done(server: Any, job: Any) -> Any:
    """A job when it is over."""
    for _ in range(600):
        (now,) = (j for j in server.get("/api/jobs")["jobs"] if j["id"] == job["id"])
        if now["state"] in ("done", "failed", "cancelled"):
            return now
        time.sleep(0.1)
    raise AssertionError("it never ends")


def sent(server: Any, name: str, data: bytes) -> str:
    """The id of an upload."""
    status, _, body = server.ask("POST", "/api/uploads", data, x_name=name)
    assert status == 200, body
    return str(json.loads(body)["id"])


def test_a_hostile_file_is_refused_in_one_line_without_any_folder(server: Any) -> None:
    wish = {"target": "drone", "source": "beat", "strength": 1.0, "keep_vocals": False}
    for name, data in {
        "../../x.wav": b"RIFF\xff\xff\xff\xffWAVEfmt ",
        "a.mp3": b"\xff\xfb" * 500,
        "b.flac": b"fLaC" + b"\0" * 400,
    }.items():
        _, job = server.post("/api/jobs/convert", {"song": sent(server, name, data), **wish})
        over = done(server, job)
        assert over["state"] == "failed"
        assert "\n" not in over["failed"] and "/" not in over["failed"], over["failed"]


def test_a_song_is_gone_on_from_and_varied(server: Any, song: Path) -> None:
    id_ = sent(server, song.name, song.read_bytes())
    common = {"model": "latent_prior", "label": "beat", "seed": 3, "count": 1, "song": id_}
    lengths = {}
    for how, more in {"continue": {"seconds": 1.0}, "vary": {"strength": 0.5}}.items():
        _, job = server.post("/api/jobs/generate", {**common, "how": how, **more})
        over = done(server, job)
        assert over["state"] == "done", over
        _, headers, data = server.ask("GET", f"/api/results/{over['result']['files'][0]['id']}")
        assert headers["content-type"] == "audio/wav"
        lengths[how] = len(soundfile.read(io.BytesIO(data))[0]) / 8000
    assert 4.5 < lengths["continue"] < 5.1 and 3.9 < lengths["vary"] < 4.1


def test_the_page_gives_the_bytes_of_the_command_line(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"model": "latent_prior", "label": "beat", "seconds": 1.0, "seed": 7, "count": 2}
    _, job = server.post("/api/jobs/generate", {**wish, "temperature": 0.5})
    files = done(server, job)["result"]["files"]
    monkeypatch.chdir(server.root)
    command = ["generate", "--label", "beat", "--seconds", "1", "--seed", "7", "-n", "2"]
    assert main([*command, "--temperature", "0.5", "-o", "out"]) == 0
    for number, file in enumerate(files):
        written = Path(f"out/{number:03d}.wav").read_bytes()
        assert server.ask("GET", f"/api/results/{file['id']}")[2] == written
    Path("saved.wav").write_bytes(written)
    assert main(["generate", "--recipe", "saved.wav", "-o", "again.wav"]) == 0
    assert Path("again.wav").read_bytes() == written


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("/api/jobs/generate", {"seed": 1, "count": 1, "model": 3}, "generate.model must be text"),
        ("/api/jobs/generate", {"seed": -1, "count": 1}, "generate.seed must be at least 0"),
        ("/api/jobs/generate", {"seed": 1, "count": 99}, "generate.count must be at most 8"),
        ("/api/jobs/generate", {"seed": 1, "count": 1, "path": "x"}, "unknown key generate.path"),
        ("/api/jobs/generate", {"seed": 1, "count": 1, "song": "x", "how": "vary"}, "not here any"),
        ("/api/jobs/generate", [], "generate must be a group"),
        ("/api/jobs/check", {"songs": [], "folder": None}, "give files, or a folder"),
        ("/api/jobs/generate", {"seed": 1, "count": 1, "label": "\ud800"}, "is not JSON"),
        ("/api/train/start", {"stage": "rm -rf"}, "has no stage"),
        ("/api/live", {"seed": 1, "label": "waltz"}, "knows no label waltz"),
        ("/api/live", {"seed": 1, "model": "vqvae"}, "does not play without end"),
        ("/api/cancel/nothing", {}, "not here any more"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_in_one_line(
    server: Any, path: str, value: Any, message: str
) -> None:
    status, answer = server.post(path, value)
    assert status == 400 and message in answer["error"] and "\n" not in answer["error"]


def test_nothing_else_of_the_server_can_be_fetched(server: Any) -> None:
    for path in (
        "/static/../server.py", "/static/%2e%2e%2fserver.py", "/static/..%2f..%2fparams.yaml",
        "/static/index.html", "/params.yaml", "/api/results/nothing", "/api/clips/x/sound",
        "/api/clips/x/secret", "/api/live/nothing/sound",
    ):  # fmt: skip
        assert server.ask("GET", path)[0] in (400, 404), path
    status, _, body = server.ask("GET", "/report")
    assert status == 400 and b"dvc repro" in body


def test_parts_of_a_sound_can_be_asked_for(server: Any) -> None:
    clip = server.get("/api/listen")["models"][0]["kinds"][0]["clips"][0]
    place = f"/api/clips/{clip['id']}/sound"
    status, headers, data = server.ask("GET", place, range="bytes=100-199")
    assert status == 206 and len(data) == 100 and headers["content-range"].startswith("bytes 100-")
