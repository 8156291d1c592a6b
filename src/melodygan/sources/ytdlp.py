"""The one place that calls yt-dlp: its options, its quiet failures, its words for what broke."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.names import clean
from melodygan.sources.hosts import Hosts
from melodygan.sources.network import watch
from melodygan.sources.pages import TooLarge, TooSlow, limit_pages
from melodygan.sources.store import clear, disk_full, store_root
from melodygan.sources.transport import LeftAlone, Transport

Filter = Callable[[dict[str, Any]], str | None]
_LOG = logging.getLogger("melodygan.yt_dlp")
_LOG.addHandler(logging.NullHandler())  # its errors come back as FetchError; do not print them too
_LOADING = threading.RLock()  # yt-dlp's modules import each other in circles: one thread at a time
_REASON = 300  # characters of a message from outside that are shown


class FetchError(UserError):
    """An address that could not be fetched: why, in one line, and whether the next try may help."""

    def __init__(self, url: str, reason: str, permanent: bool = False) -> None:
        super().__init__(f"{clean(url)}: {reason}")
        self.reason = reason
        self.permanent = permanent


@dataclass(frozen=True)
class Access:
    """What one source may do.

    allow_private: reach private networks and this machine. extractors: regular expressions of
    the only yt-dlp extractors allowed; None means yt-dlp's own choice.
    """

    allow_private: bool = False
    extractors: list[str] | None = None


@dataclass(frozen=True)
class Patience:
    """How long a server may take.

    socket_timeout: s. retries: yt-dlp's own, within one transfer, which go on where it broke off.
    tries: of the whole call. pause: s before the second one, then doubled; also after "too busy"
    where the server does not say how long. slowest: bytes/s that a transfer must reach on average
    after `grace` s. largest: bytes of a file. hosts: what the servers have answered so far.
    """

    socket_timeout: float = 20.0
    retries: int = 10
    tries: int = 3
    pause: float = 2.0
    slowest: float = 1000.0
    grace: float = 60.0
    largest: float = 20e9
    hosts: Hosts = field(default_factory=Hosts, compare=False)


def call(
    url: str,
    access: Access,
    patience: Patience,
    folder: Path | None = None,
    accept: Filter | None = None,
    first: int | None = None,
) -> dict[str, Any]:
    """yt-dlp's information about `url`, and its file downloaded into `folder` unless that is None.

    accept: gets an entry's information, returns why it is not wanted, or None. first: look at
    only so many entries of a playlist. Raises FetchError for every failure.
    """
    options = _options(access, patience, folder)
    if first is not None:
        options["playlist_items"] = f"1:{first}"
    if accept is not None:
        options["match_filter"] = _filter(accept)
    with watch(access.allow_private) as refused:
        try:
            with _downloader(options, patience, folder) as downloader:
                info = downloader.extract_info(url, download=folder is not None)
        except (LeftAlone, TooSlow, TooLarge) as error:
            if folder is not None and isinstance(error, TooLarge):
                clear(folder)
            raise FetchError(url, str(error), permanent=True) from None
        except Exception as error:  # extractors break in every way when a site changes
            if refused:
                raise FetchError(url, f"refused {refused[0]}", permanent=True) from None
            full = disk_full(error, folder or store_root())
            raise full or FetchError(url, _words(error), _is_permanent(error)) from None
    if info is None:
        raise FetchError(url, "nothing to download there", permanent=True)
    return info


def _downloader(options: dict[str, Any], patience: Patience, folder: Path | None) -> Any:
    """A YoutubeDL whose requests go through a Transport."""
    with _LOADING:
        import yt_dlp  # a second to import; a demo-only pipeline never pays it

        downloader = yt_dlp.YoutubeDL(options)
    load = downloader.get_info_extractor

    def get_info_extractor(key: str) -> Any:
        with _LOADING:
            return load(key)

    downloader.get_info_extractor = get_info_extractor
    limit_pages(downloader)
    if folder is not None:
        # a fixed name, and no template: titles and ids from outside can hold anything, and yt-dlp
        # fills in variables and fields that the path to the folder may seem to name
        downloader._prepare_filename = lambda *_, **__: str(folder / "body")
    downloader.urlopen = Transport(downloader.urlopen, patience.hosts, patience.pause, folder)
    return downloader


def _options(access: Access, patience: Patience, folder: Path | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        # the body stays as the server sent it: other ffmpeg versions would write other bytes
        "format": "bestaudio/best",
        "fixup": "never",
        "hls_prefer_native": True,
        "overwrites": True,
        "continuedl": True,
        "socket_timeout": patience.socket_timeout,
        "retries": patience.retries,
        "fragment_retries": patience.retries,
        "extractor_retries": 0,  # the outer loop's work
        "skip_unavailable_fragments": False,  # yt-dlp would leave holes in the music
        "extract_flat": "in_playlist",
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "color": "no_color",
        "logger": _LOG,
        "cachedir": False,
        # the one whose every redirect the watch over the network sees
        "compat_opts": {"prefer-legacy-http-handler"},
        "allowed_extractors": access.extractors or ["default"],
    }
    if folder is not None:
        options["progress_hooks"] = [_pace(patience)]
    return options


def _pace(patience: Patience) -> Callable[[dict[str, Any]], None]:
    """A hook that ends transfers without end: socket timeouts only end those that stand still."""
    start: int | None = None

    def hook(progress: dict[str, Any]) -> None:
        nonlocal start
        size, seconds = progress.get("downloaded_bytes") or 0, progress.get("elapsed") or 0.0
        start = size if start is None else start  # more than nothing where it goes on
        if size > patience.largest:
            raise TooLarge(f"larger than {patience.largest / 1e9:g} GB")
        if seconds > patience.grace and size - start < patience.slowest * seconds:
            raise TooSlow(f"slower than {patience.slowest / 1000:g} kB/s: try again later")

    return hook


def _filter(accept: Filter) -> Callable[..., str | None]:
    from yt_dlp.utils import MEDIA_EXTENSIONS

    usual = {*MEDIA_EXTENSIONS.audio, *MEDIA_EXTENSIONS.video}

    def match_filter(info: dict[str, Any], incomplete: bool) -> str | None:
        # yt-dlp refuses extensions like .php, to protect file names that are made with them; ours
        # are not, and the decoder judges what came
        if not incomplete and info.get("ext") not in usual:
            info["ext"] = "unknown_video"
        return accept(info)

    return match_filter


def _words(error: BaseException) -> str:
    """yt-dlp's message on one line, without the cause's innards and the request to report a bug."""
    from yt_dlp.utils import YoutubeDLError

    text = str(error).removeprefix("ERROR: ")
    text = clean(text.split("; please report this issue")[0].split(" (caused by ")[0], _REASON)
    return text if isinstance(error, YoutubeDLError) else f"{type(error).__name__}: {text}"


def _is_permanent(error: BaseException) -> bool:
    """Whether the server or the extractor has given an answer that the next try will give too."""
    from yt_dlp.networking.exceptions import HTTPError, RequestError
    from yt_dlp.utils import ExtractorError

    inner = (getattr(error, "exc_info", None) or (None, None))[1] or error
    cause = getattr(inner, "cause", None) or inner
    if isinstance(cause, HTTPError):
        busy = cause.status in (408, 425, 429)
        return 400 <= cause.status < 500 and not busy
    if isinstance(cause, (RequestError, OSError)):
        return False
    return isinstance(inner, ExtractorError) and inner.expected
