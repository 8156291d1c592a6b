"""A project with tiny models that were never trained, what its pipeline would have made, a page."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
import torch
import yaml

from melodygan.audio.wav import write_wav
from melodygan.blocks.scale import Scale
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator
from melodygan.models.latent_prior.autoregressive.model import TrainedAutoregressive, grid_of
from melodygan.models.latent_prior.autoregressive.network import GridTransformer
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.pipeline.files import write_json, write_rows
from melodygan.pipeline.params import load

RATE = fake.AUDIO.sample_rate
LABELS = ("beat", "drone")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    root = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        params = yaml.safe_load((fake.ROOT / "params.yaml").read_text())
        groups = {"separate": params["separate"] | {"enabled": False}}
        groups["preprocess"] = params["preprocess"]
        fake.write_params(root, audio=fake.AUDIO.as_dict(), **fake.MODELS, **groups)
        _write_models()
        _write_music()
    return root


def _write_models() -> None:
    torch.manual_seed(0)
    params = load(VQVAEParams, "vqvae")
    vqvae = TrainedVQVAE(VQVAE(params), params, fake.AUDIO, -6.0, 2.0)
    prior = load(LatentPriorParams, "latent_prior").autoregressive
    network = GridTransformer(prior, grid_of(vqvae), 2)
    gan = load(CycleGANParams, "cyclegan")
    ways = {way: Generator(gan.width, gan.blocks) for way in (LABELS, LABELS[::-1])}
    vocoder = replace(load(VocoderParams, "vocoder"), kind="griffinlim")
    for name, model in {
        "vqvae": vqvae,
        "latent_prior": TrainedAutoregressive(network, prior, vqvae, list(LABELS)),
        "cyclegan": TrainedCycleGAN(ways, gan, fake.AUDIO, Scale.of(-6.0, 2.0)),
        "vocoder": Vocoder(vocoder, fake.AUDIO, GriffinLim(fake.AUDIO, 4)),
    }.items():
        model.save(Path("models") / name)
    stages: dict[str, Any] = {
        name: {"cmd": "true", "desc": f"What {name} does", "outs": [f"models/{name}"]}
        for name in ("vqvae", "latent_prior", "cyclegan", "vocoder")
    }
    deps = [f"models/{name}" for name in stages]
    stages["generate"] = {"cmd": "true", "deps": deps}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))


def _write_music() -> None:
    fake.write_features(Path("data/features"), fake.tunes(LABELS))
    time = np.arange(2 * RATE) / RATE
    rows = []
    for number in range(8):
        tone = (0.2 * np.sin(2 * np.pi * (200 + 20 * number) * time)).astype(np.float32)
        name = f"latent_prior/samples/beat-{number:03d}"
        write_wav(Path(f"data/generated/{name}.wav"), [tone], RATE)
        rows.append(
            {"name": name, "model": "latent_prior", "kind": "sample", "track": None,
             "source": None, "label": "beat", "frames": 250, "peak": 0.2}
        )  # fmt: skip
    write_rows(Path("data/generated/index.jsonl"), rows)
    said = "latent_prior: order_auc 0.6: works"
    write_json(Path("metrics/latent_prior/run.json"), {"verdict": said, "settings": {}})
    steps = "".join(f"{step}\t{1 / step:.4f}\n" for step in range(1, 11))
    Path("metrics/latent_prior/train.tsv").write_text("step\tprior_loss\n" + steps)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of notes, as FLAC in stereo."""
    time = np.arange(4 * RATE) / RATE
    tone = np.sin(2 * np.pi * np.where(time % 1 < 0.5, 220, 330) * time) * np.exp(-3 * (time % 0.5))
    path = tmp_path_factory.mktemp("songs") / "My song.flac"
    soundfile.write(path, np.stack([0.2 * tone, 0.1 * tone], 1), RATE)
    return path


@dataclass
class Server:
    """A page that runs. key: what its own page sends with all that changes something."""

    root: Path
    port: int
    key: str
    cookie: str

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; headers: `_` in their names stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"cookie": self.cookie, "x-melodygan-key": self.key}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        data = answer.read()
        connection.close()
        return answer.status, found, data

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        """Status and JSON of what a request of our own page would get."""
        status, _, body = self.ask("POST", path, json.dumps(value).encode())
        return status, json.loads(body)

    def get(self, path: str) -> Any:
        """JSON."""
        return json.loads(self.ask("GET", path)[2])


@pytest.fixture(scope="session")
def server(project: Path) -> Iterator[Server]:
    """`melodygan app`, as one starts it."""
    port = 20_000 + os.getpid() % 20_000
    process = subprocess.Popen(
        [sys.executable, "-m", "melodygan.cli", "app", "--port", str(port)],
        cwd=project, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
        made = Server(project, port, "", "")
        _, headers, page = made.ask("GET", "/")
        found = re.search(rb'name="melodygan-key" content="([^"]+)"', page)
        assert found
        made.key, made.cookie = found[1].decode(), headers["set-cookie"].partition(";")[0]
        yield made
    finally:
        process.terminate()
        process.wait(20)
    assert not list((project / ".cache/app").iterdir()), "uploads and results go with the page"
