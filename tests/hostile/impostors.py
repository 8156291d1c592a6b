"""Files that are no audio at all, under names of audio: playlists, pages, archives, noise."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ENDINGS = ("wav", "flac", "ogg", "mp3", "m4a", "aiff", "au", "webm", "aac", "opus", "wma", "raw")


def noise() -> Iterator[tuple[str, bytes]]:
    """Random and constant bytes under every ending."""
    random = np.random.default_rng(50)
    for ending in ENDINGS:
        for size in (1, 100, 30_000):
            yield f"random-{size}.{ending}", random.bytes(size)
        for name, byte in (("zeros", b"\0"), ("ones", b"\xff")):
            yield f"{name}.{ending}", byte * (5000 + len(ending))


def playlists(secret: Path) -> Iterator[tuple[str, bytes]]:
    """Playlists in disguise that want `secret`, a sound outside the folder, or a network."""
    places = (
        str(secret),
        secret.as_uri(),
        f"../../../../../..{secret}",
        "http://127.0.0.1:9/a.mp3",
    )
    texts = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "hls-key": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI=\"{}\"\n"
        "#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "m3u": "#EXTM3U\n{}\n",
        "pls": "[playlist]\nNumberOfEntries=1\nFile1={}\nLength1=-1\nVersion=2\n",
        "concat": "ffconcat version 1.0\nfile '{}'\n",
        "concat-options": "ffconcat version 1.0\nfile '{}'\noption safe 0\nduration 9\n",
        "xspf": '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        "<track><location>{}</location></track></trackList></playlist>",
        "asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
        "dash": '<!DOCTYPE a [<!ENTITY x SYSTEM "{}">]><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'type="static"><Period><AdaptationSet><Representation id="0" bandwidth="9"><BaseURL>{}'
        "</BaseURL>&x;</Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=audio 50040 RTP/AVP 97\na=rtpmap:97 L16/8000/1\n",
        "rtsp": "rtsptextRTSP://127.0.0.1:9/{}\n",
    }  # fmt: skip
    for name, text in texts.items():
        for number, place in enumerate(places):
            for ending in ("mp3", "m3u8", "sdp"):
                yield f"{name}-{number}.{ending}", text.replace("{}", place).encode()


def documents() -> Iterator[tuple[str, bytes]]:
    """Pages, pictures, archives, some of which grow when they are unpacked."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(zipfile.ZipInfo("bomb.wav"), bytes(10_000_000))
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    data = {
        "page": b"<!DOCTYPE html><html><body>" + b"404 not found " * 500,
        "script": b"#!/bin/sh\ntouch ran\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "laughs": f'<!DOCTYPE l [<!ENTITY l0 "la">{laughs}]><svg>&l9;</svg>'.encode(),
        "zip": archive.getvalue(),
        "gzip": zlib.compress(bytes(5_000_000), wbits=31),
        "pickle": b"cposix\nsystem\n(S'touch ran'\ntR.",
        "gif": b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\0;",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0",
        "midi": b"MThd\0\0\0\x06\0\x01\xff\xff\x01\xe0MTrk\xff\xff\xff\xff",
        "y4m": b"YUV4MPEG2 W32000 H32000 F1:1\nFRAME\n",
        "elf": b"\x7fELF" + bytes(200),
    }
    for name, body in data.items():
        for ending in ("wav", "mp3"):
            yield f"{name}.{ending}", body
