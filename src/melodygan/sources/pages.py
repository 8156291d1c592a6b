"""Pages, feeds and packed bodies, which yt-dlp reads whole: only so much of them, so long.

yt-dlp (2026.10.26) unpacks a body before anybody sees it, and has extractors read a page to its
end. So its handler of HTTP is given bodies that end, or an error, and packed ones only in small.
"""

import io
import time
import zlib
from collections.abc import Callable
from typing import Any

LARGEST = 32_000_000  # bytes of a page, unpacked; the longest feeds of podcasts have 20 MB
LONGEST = 120.0  # s for a page
_STEP = 1 << 16  # bytes
_ASKED_FOR = ["gzip", "deflate"]
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # zlib's wbits; 47: with a header


class TooSlow(BaseException):
    """A transfer that would take for ever. No Exception: yt-dlp's extractors go on after those."""


class TooLarge(BaseException):
    """A file that is larger than any music, or a page that nobody wrote by hand. As TooSlow."""


def limit_pages(downloader: Any) -> None:
    """Bound what the YoutubeDL `downloader` reads in one piece, and what it unpacks.

    Media come in blocks, which have limits of their own.
    """
    from yt_dlp.networking._helper import add_accept_encoding_header
    from yt_dlp.networking._urllib import UrllibRH

    handler = downloader._request_director.handlers[UrllibRH.RH_KEY]
    make = handler._create_instance

    def create(*arguments: Any, **keywords: Any) -> Any:
        opener = make(*arguments, **keywords)
        for one in opener.handlers:
            if hasattr(one, "gz"):  # yt-dlp's own, for http and https
                one.http_response = one.https_response = _bounded(one.http_response)
        return opener

    handler._create_instance = create
    handler._prepare_headers = lambda _, headers: add_accept_encoding_header(headers, _ASKED_FOR)


def _bounded(process: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def response(request: Any, answer: Any) -> Any:
        encodings = [
            e.strip().lower() for e in answer.headers.get("Content-Encoding", "").split(",")
        ]
        packed = [e for e in encodings if e and e != "identity"]
        if packed:
            answer = _unpacked(answer, packed)
        else:
            _limit(answer)
        return process(request, answer)

    return response


def _limit(answer: Any) -> None:
    """Have `answer.read()` without a size end in an error rather than never."""
    read = answer.read

    def bounded(size: int | None = None) -> bytes:
        return _whole(read) if size is None or size < 0 else read(size)

    answer.read = bounded


def _whole(read: Callable[[int], bytes]) -> bytes:
    """All that `read(size)` gives. Raises TooLarge, TooSlow."""
    end, data = time.monotonic() + LONGEST, io.BytesIO()
    while block := read(_STEP):
        data.write(block)
        _check(data.tell(), end)
    return data.getvalue()


def _check(size: int, end: float) -> None:
    if size > LARGEST:
        raise TooLarge(f"a page of more than {LARGEST / 1e6:g} MB")
    if time.monotonic() > end:
        raise TooSlow(f"a page that takes longer than {LONGEST:g} s")


def _unpacked(answer: Any, packed: list[str]) -> Any:
    """The answer with its body unpacked, if that is a known way and small. Raises TooLarge."""
    from urllib.response import addinfourl

    if len(packed) > 1 or packed[0] not in _WINDOWS:
        raise TooLarge(f"packed in a way that was not asked for ({packed[0][:20]})")
    body = _inflate(_whole(answer.read), _WINDOWS[packed[0]])
    del answer.headers["Content-Encoding"]
    plain = addinfourl(io.BytesIO(body), answer.headers, answer.url, answer.status)
    plain.msg = answer.msg  # type: ignore[attr-defined]
    return plain


def _inflate(data: bytes, window: int) -> bytes:
    for bits in (window, -15):  # some servers leave the header of `deflate` out
        unpacker = zlib.decompressobj(bits)
        try:
            body = unpacker.decompress(data, LARGEST + 1)
        except zlib.error:
            continue
        _check(len(body), time.monotonic() + LONGEST)
        return body
    raise OSError("a packed body that cannot be unpacked")
