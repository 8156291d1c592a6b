"""Which servers have said that they are too busy, so that no transfer asks them meanwhile."""

import threading
import time
from collections import Counter
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = 120.0  # s
_PATIENCE = 8  # answers in a row that say "too busy" before the server is left alone for good


class Hosts:
    """What the servers of one run have answered; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}  # time.monotonic()
        self._busy: Counter[str] = Counter()

    def wait(self, host: str) -> None:
        """Return when `host` may be asked again."""
        while (left := self._until.get(host, 0.0) - time.monotonic()) > 0:
            time.sleep(left)

    def is_lost(self, host: str) -> bool:
        """Whether `host` has said so often that it is too busy that asking on would be rude."""
        return self._busy[host] >= _PATIENCE

    def answered(self, host: str) -> None:
        """Note that `host` serves us."""
        with self._lock:
            self._busy.pop(host, None)

    def too_busy(self, host: str, retry_after: str | None, pause: float) -> float:
        """Note an HTTP status 429 or 503; return the pause in s, for all transfers of `host`.

        retry_after: the header, s or a date. pause: s where there is none, doubled every time.
        """
        with self._lock:
            seconds = _seconds(retry_after)
            if seconds is None:
                seconds = pause * 2.0 ** self._busy[host]
            seconds = min(max(seconds, 0.0), LONGEST_PAUSE)
            self._busy[host] += 1
            self._until[host] = max(self._until.get(host, 0.0), time.monotonic() + seconds)
            return seconds


def _seconds(retry_after: str | None) -> float | None:
    text = (retry_after or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):  # no date, or one that cannot be
        return None
