"""What stands between yt-dlp and its network: manners towards servers, and honest resumption."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from melodygan.pipeline.names import clean
from melodygan.sources.hosts import Hosts
from melodygan.sources.store import contents
from melodygan.sources.transfers import say

_PARTIAL, _VALIDATOR = "body.part", "validator"
_WORTH_A_LINE = 5.0  # s of waiting


class LeftAlone(Exception):
    """A server that kept saying that it is too busy."""


def can_resume(folder: Path) -> bool:
    """Whether a workspace holds a partial body whose rest the server can be asked for safely.

    Needs what the server said about the version of the body, and one plain file: the fragments
    of a stream have no version in common.
    """
    return [path.name for path in contents(folder)] == [_PARTIAL, _VALIDATOR]


@dataclass
class Transport:
    """Wraps the `urlopen` of one YoutubeDL.

    Waits for hosts that are too busy, for `pause` s or what they ask for. When yt-dlp asks for
    the rest of the partial body in `folder`, it gets that only if the server still has the same
    version of it (RFC 9110, 8.8 and 14.2); if not, it gets the whole body and starts over.
    """

    urlopen: Callable[[Any], Any]
    hosts: Hosts
    pause: float
    folder: Path | None

    def __call__(self, request: Any) -> Any:
        """Raises what yt-dlp's urlopen does, and LeftAlone."""
        if not isinstance(request, str) and self._resumes(request.headers.get("Range")):
            return self._rest(request)
        response = self._ask(request)
        self._note(response)
        return response

    def _ask(self, request: Any) -> Any:
        from yt_dlp.networking.exceptions import HTTPError

        host = _host(request if isinstance(request, str) else request.url)
        self.hosts.wait(host)
        try:
            if self.hosts.is_lost(host):
                raise LeftAlone(
                    f"{clean(host)} keeps answering that it is too busy: try again later"
                )
            response = self.urlopen(request)
        except HTTPError as error:
            if error.status in (429, 503):
                for name in {host, _host(error.response.url)}:  # it may have redirected us
                    self._too_busy(name, error)
            raise
        self.hosts.answered(host)
        return response

    def _too_busy(self, host: str, error: Any) -> None:
        asked = error.response.headers.get("Retry-After")
        seconds = self.hosts.too_busy(host, asked, self.pause)
        if seconds >= _WORTH_A_LINE:
            say(f"{clean(host)} is too busy (HTTP {error.status}): waiting {seconds:.0f} s")

    def _rest(self, request: Any) -> Any:
        from yt_dlp.networking.exceptions import HTTPError

        try:
            response = self._ask(request)
            if response.status == 206 and _validator(response) == self._noted():
                return response
            if response.status == 200:  # the server does not do ranges: this is the whole body
                self._start_over(response)
                return response
            response.close()
        except HTTPError as error:
            if error.status in (429, 503):
                raise
            # 416: the partial body is too long; some servers say it in other ways
        del request.headers["Range"]
        response = self._ask(request)
        self._start_over(response)
        return response

    def _resumes(self, value: str | None) -> bool:
        start = re.match(r"bytes=([1-9]\d*)-", value or "")
        if start is None or self.folder is None:
            return False
        partial = self.folder / _PARTIAL
        return partial.is_file() and int(start[1]) == partial.stat().st_size

    def _start_over(self, response: Any) -> None:
        if self.folder:
            (self.folder / _PARTIAL).unlink()
        self._note(response)

    def _noted(self) -> str | None:
        file = self.folder and self.folder / _VALIDATOR
        return file.read_text() if file and file.exists() else None

    def _note(self, response: Any) -> None:
        """Keep the version of the body that is about to be written, until the first byte is."""
        if self.folder is None or (self.folder / _PARTIAL).exists():
            return
        version = _validator(response)
        if version is None:
            (self.folder / _VALIDATOR).unlink(missing_ok=True)
        else:
            (self.folder / _VALIDATOR).write_text(version)


def _validator(response: Any) -> str | None:
    """What tells one version of a body from another; None if the server says nothing of the kind.

    The length helps against servers whose dates are too coarse.
    """
    tag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
    if not date and (not tag or tag.startswith("W/")):
        return None
    whole = (response.headers.get("Content-Range") or "").rpartition("/")[2]
    return f"{tag}\n{date}\n{whole or response.headers.get('Content-Length')}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
