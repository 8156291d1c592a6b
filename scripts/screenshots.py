"""Pictures of each page of `melodygan app` for docs/app.md, taken in a real Chromium.

    uv run python scripts/screenshots.py [FOLDER]

Run it in a folder with trained models; FOLDER (default: docs/app) gets NAME.png, in the light
scheme, and NAME-phone.png in the dark one. Needs `uv sync` and Debian's chromium.
"""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

PORT = 7899
PAGES = ("listen", "generate", "live", "convert", "explore", "train", "data")
WIDE, PHONE = {"width": 1000, "height": 760}, {"width": 390, "height": 780}


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with app() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport=WIDE, bypass_csp=True)
        page.goto(address)
        page.wait_for_selector("#gallery figure")
        song = fill(page, address)
        for name in PAGES:
            show(page, address, name)
            take(page, folder / f"{name}.png")
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        for name in ("listen", "generate", "live", "convert"):
            show(page, address, name)
            take(page, folder / f"{name}-phone.png")
        browser.close()
        song.unlink()


def take(page: Any, path: Path) -> None:
    """A small PNG: 128 colours are enough for it."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(128).save(path, optimize=True)


@contextmanager
def app() -> Iterator[str]:
    """The address of a page of this folder."""
    command = [sys.executable, "-m", "melodygan.cli", "app", "--port", str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the page did not start"
        yield found[0]
    finally:
        process.terminate()
        process.wait()


def fill(page: Any, address: str) -> Path:
    """Do something in each page, so that there is something to see; a song that was used."""
    show(page, address, "generate")
    page.fill("#generate-form [name=seconds]", "6")
    page.click("#generate-form button.primary")
    page.wait_for_selector("[data-deed=generate] audio", timeout=120_000)
    song = Path("song-to-show.wav")
    with page.expect_download() as download:
        page.click("[data-deed=generate] a[download]")
    download.value.save_as(song)
    show(page, address, "convert")
    page.set_input_files("#convert-form input[type=file]", song)
    page.click("#convert-form button.primary")
    page.wait_for_selector("[data-deed=convert] audio", timeout=120_000)
    show(page, address, "explore")
    for number in range(2):
        page.click("#explore-form button.primary")
        page.wait_for_selector(f"[data-deed=explore] li >> nth={number}", timeout=120_000)
        page.locator("#directions input").first.fill("2")
    show(page, address, "data")
    page.set_input_files("#check-form input[type=file]", [song, "params.yaml"])
    page.click("#check-form button.primary")
    page.wait_for_selector("[data-deed=check] table", timeout=120_000)
    return song


def show(page: Any, address: str, name: str) -> None:
    """Open a page and wait for it."""
    page.evaluate(f"location.hash = '{name}'")
    page.wait_for_selector(f"#{name}:not([hidden])")
    page.wait_for_timeout(1500)
    if name == "live":
        page.click("#live-button")
        page.wait_for_function("window.melodyganLive?.heard > 8", timeout=60_000)
        page.wait_for_timeout(1200)
    elif page.locator("#live-button").text_content() == "Stop":
        page.evaluate("window.melodyganLive.stop()")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/app"))
