"""A folder of more than a thousand hostile files, and a few good ones among them.

Each file holds one thing that goes wrong with audio in the wild, or that somebody could do on
purpose. The same bytes are made each time.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .impostors import documents, noise, playlists
from .lies import big_endian_lies, flac_lies, mp3_lies, mp4_lies, ogg_lies, wav_lies, wide_lies
from .mutations import mutations
from .sounds import bases, encode, encode_av, flac_silence, tune, wav, wav_float

RATE = 22050  # Hz
Files = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class Corpus:
    """Where the files are and what is known about them beforehand; paths relative to `folder`.

    accepted, rejected: files that can only end so (rejected: with these words); most may do
    either. left_out: what no track may be made of, and words that say why. secret: a sound outside
    the folder, which nothing may read.
    """

    folder: Path
    sentinels: tuple[str, ...]
    accepted: tuple[str, ...]
    rejected: dict[str, str]
    left_out: dict[str, str]
    secret: Path


def make_sentinels(folder: Path) -> tuple[str, ...]:
    """Write some ordinary tracks into `folder`; return their paths in it."""
    files = {
        "sentinel/one.wav": encode(tune(1, 1.5, RATE, 1), RATE, "WAV", "PCM_16"),
        "sentinel/two.flac": encode(tune(2, 1.5, 44100, 2), 44100, "FLAC", "PCM_16"),
        "sentinel/three.m4a": encode_av(tune(3, 1.5, 44100, 1), 44100, "mp4", "aac"),
        "sentinel/four.mp3": encode(tune(4, 1.5, 44100, 2), 44100, "MP3"),
    }
    for name, data in files.items():
        _write(folder / name, data)
    return tuple(files)


def make_corpus(folder: Path, secret: Path) -> Corpus:
    """Write the corpus into `folder`; and to `secret` a sound that links and playlists point at."""
    _write(secret, encode(tune(99, 1.5, RATE, 1), RATE, "MP3"))
    for group in (_damaged(), _lies(), _impostors(secret)):
        for name, data in group:
            _write(folder / name, data)
    accepted = _usable() | _odd_names()
    rejected = {name: (data, words) for name, data, words in _unusable()}
    for name, data in accepted.items():
        _write(folder / name, data)
    for name, (data, _) in rejected.items():
        _write(folder / name, data)
    left_out = _special_files(folder, secret)
    (folder / "odd/link.wav").symlink_to("dc.wav")
    (folder / "odd/locked.wav").chmod(0)  # no obstacle to root
    reasons = {name: words for name, (_, words) in rejected.items()}
    return Corpus(folder, make_sentinels(folder), tuple(accepted), reasons, left_out, secret)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _damaged() -> Files:
    """Every base with every mutation, and under other endings."""
    files = list(bases().items())
    for number, (name, data) in enumerate(files):
        stem, ending = name.rsplit(".", 1)
        other_name, other = files[(number + 7) % len(files)]
        for what, body in mutations(data, other, number):
            yield f"damaged/{stem}-{ending}-{what}.{ending}", body
        yield f"renamed/{stem}-{ending}.{other_name.rsplit('.', 1)[1]}", data
        yield f"renamed/{stem}-{ending}.raw", data


def _lies() -> Files:
    makers = {
        "wav": wav_lies,
        "flac": flac_lies,
        "aiff": big_endian_lies,
        "m4a": mp4_lies,
        "mp3": mp3_lies,
        "ogg": ogg_lies,
    }
    for ending, make in makers.items():
        for name, data in make():
            yield f"lies/{name}.{ending}", data
    for name, data in wide_lies():
        yield f"lies/{name}", data


def _impostors(secret: Path) -> Files:
    for make in (noise(), playlists(secret), documents()):
        for name, data in make:
            yield f"impostors/{name}", data


def _usable() -> dict[str, bytes]:
    """Odd, but sound: rates, channels, levels, and copies under two names."""
    files = {
        f"odd/{rate}.wav": encode(tune(60, 1.0, rate, 1), rate, "WAV", "PCM_16")
        for rate in (4000, 8000, 11025, 96_000, 192_000)
    }
    copy = encode(tune(61, 1.0, RATE, 1), RATE, "WAV", "PCM_16")
    square = np.sign(tune(63, 1.0, 8000, 1))
    denormal = np.tile(np.float32([1e-40, -1e-42])[:, None], (4000, 1)) + tune(62, 1.0, 8000, 1)
    return files | {
        "odd/32-channels.wav": encode(tune(62, 1.0, 8000, 32), 8000, "WAV", "PCM_16"),
        "odd/denormal.wav": wav_float(denormal, 8000),
        "odd/above-full-scale.wav": wav_float(1e6 * tune(64, 1.0, 8000, 1), 8000),
        "odd/quiet-square.wav": encode(0.3 * square, 8000, "WAV", "PCM_16"),
        "odd/dc.wav": encode(0.2 + 0.5 * tune(65, 1.0, 8000, 1), 8000, "WAV", "PCM_16"),
        "odd/copy-a.wav": copy,
        "odd/copy-b.mp3": copy,
        "other/copy-c.wav": copy,
        "odd/locked.wav": encode(tune(66, 1.0, 8000, 1), 8000, "WAV", "PCM_16"),
        "a/b/c/d/deep.wav": encode(tune(67, 1.0, 8000, 1), 8000, "WAV", "PCM_16"),
    }


def _odd_names() -> dict[str, bytes]:
    """A sound under names of every script, shape and length."""
    names = (
        "Ünïcödé ž ťoučký kůň.wav", "日本語の曲名.wav", "🎵🎶.wav", "اغنية.wav",
        "e\u0301.wav", "\u00e9.wav", "a\u202egnp.wav", "zero\u200bwidth.wav", "\u2028line.wav",
        "new\nline.wav", "tab\there.wav", "\x1b[31mred.wav", "back\\slash.wav", "a'b\"c.wav",
        "-rf.wav", "--help", "$(touch ran).wav", "`touch ran`; touch ran .wav", "%03d.wav",
        "{yaml: [", "# comment.wav", "null", "~.wav", "con.wav", " .wav", "two  spaces .wav",
        "no-ending", "dots...wav", "http:..example.org.wav", "concat:a|b.wav", "WAV.WAV",
        "x" * 251 + ".wav", "ü" * 125 + ".wav", "song.wav.mp3.flac",
    )  # fmt: skip
    return {
        f"names/{name}": encode(tune(100 + n, 0.8, 8000, 1), 8000, "WAV", "PCM_16")
        for n, name in enumerate(names)
    }


def _unusable() -> Iterator[tuple[str, bytes, str]]:
    """Files that hold nothing to train on, and words of the reason."""
    sound = tune(70, 1.0, 8000, 1)
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus-inf", -np.inf)):
        for where, place in (("first", 0), ("last", -1)):
            broken = sound.copy()
            broken[place] = value
            yield f"odd/{name}-{where}.wav", wav_float(broken, 8000), "not finite"
    low, high = (encode_av(tune(70, 4.0, r, 1), r, "adts", "aac") for r in (22050, 44100))
    yield "odd/faster-from-the-middle.aac", low + high, "change on the way"
    yield "odd/slower-from-the-middle.aac", high + low, "change on the way"
    silence = np.zeros((8000, 2))
    yield "odd/empty.wav", b"", "not decodable"
    yield "odd/no-samples.wav", wav(b""), "no samples"
    yield "odd/one-sample.wav", wav(b"\0\x40"), "shorter"
    yield "odd/one-sample.flac", encode(sound[4:5], 8000, "FLAC", "PCM_16"), "shorter"
    yield "odd/short.wav", encode(sound[:1000], 8000, "WAV", "PCM_16"), "shorter"
    yield "odd/silence.wav", encode(silence, 8000, "WAV", "PCM_16"), "silent"
    yield "odd/silence.flac", encode(silence, 8000, "FLAC", "PCM_16"), "silent"
    yield "odd/only-denormal.wav", wav_float(silence + 1e-40, 8000), "silent"
    yield "odd/full-scale-square.wav", encode(np.sign(sound), 8000, "WAV", "PCM_16"), "clipped"
    yield "odd/too-slow.wav", encode(sound, 1000, "WAV", "PCM_16"), "1000 Hz"
    # 1 MB that unpacks to 11 thousand million samples
    yield "odd/endless.flac", flac_silence(192_000, 7200, channels=8), "took longer"
    unknown = flac_silence(8000, 60, said=0)
    yield "odd/silence-of-unknown-length.flac", unknown, "silent"


def _special_files(folder: Path, secret: Path) -> dict[str, str]:
    """Make links, pipes and the like in `folder`; return them with words of the complaint."""
    special = folder / "special"
    special.mkdir()
    links = {
        "outside.mp3": (secret, "leads out of the folder"),
        "password.mp3": (Path("/etc/passwd"), "leads out of the folder"),
        "zero.wav": (Path("/dev/zero"), "leads out of the folder"),
        "dangling.wav": (Path("nowhere.wav"), "leads nowhere"),
        "self.wav": (Path("self.wav"), "leads nowhere"),
        "there.wav": (Path("back.wav"), "leads nowhere"),
        "back.wav": (Path("there.wav"), "leads nowhere"),
        "up": (Path(".."), "link to a folder"),
        "out": (secret.parent, "leads out of the folder"),
        "through.mp3": (Path("out") / secret.name, "leads out of the folder"),
    }
    for name, (target, _) in links.items():
        (special / name).symlink_to(target)
    os.mkfifo(special / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(special, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/socket.wav")  # a whole path may be too long for it
        os.close(here)
    Path(os.fsdecode(bytes(special) + b"/not-utf-8-\xff.wav")).write_bytes(b"")
    left_out = {f"special/{name}": words for name, (_, words) in links.items()}
    for name in ("pipe.wav", "socket.wav"):
        left_out[f"special/{name}"] = "neither a file nor a folder"
    return left_out | {"special/not-utf-8-\udcff.wav": "not valid UTF-8"}
