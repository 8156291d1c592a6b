"""Keeps downloads away from private networks: a feed from outside must not make us fetch inside.

Checked where a connection is made, not where an address is written, so that names, redirects and
playlist entries that lead to a private address are refused as well. An audit hook sees them: it
runs in the thread that connects, so transfers with different permissions can run side by side.
"""

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

_PERMIT = "allow_private: true beside its url in data/sources.yaml permits it"


class _Thread(threading.local):
    """What the current thread's transfer may do; `refused` is None outside every transfer."""

    refused: list[str] | None = None
    allow_private: bool = False


class _Watch:
    """The hook, and what is common to all threads. guarded: running public-only transfers."""

    def __init__(self) -> None:
        self.thread = _Thread()
        self.lock = threading.Lock()
        self.guarded = 0
        self.proxies: set[tuple[str, int]] = set()
        self.installed = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHECKS:
            return
        refused = self.thread.refused
        # a library's own thread may work for any transfer, so the strictest running one counts
        guarded = self.guarded > 0 if refused is None else not self.thread.allow_private
        if refused is None and not guarded:
            return
        complaint = _CHECKS[event](arguments, guarded)
        if complaint:
            if refused is not None:
                refused.append(complaint)
            raise ConnectionRefusedError(f"refused: {complaint}")


@contextmanager
def watch(allow_private: bool = False) -> Iterator[list[str]]:
    """Within the block this thread connects to public addresses and speaks HTTP, or has an OSError.

    Yields the list of what was refused, in words. The user's own proxies stay reachable.
    allow_private: private addresses too. Threads without a `watch` of their own are kept from
    private addresses while any public-only block runs.
    """
    with _watch.lock:
        if not _watch.installed:
            sys.addaudithook(_watch.hook)
            _watch.installed = True
        _watch.guarded += not allow_private
    thread, refused = _watch.thread, list[str]()
    outer = thread.refused, thread.allow_private
    try:
        _watch.proxies = _proxy_addresses()
        thread.refused, thread.allow_private = refused, allow_private
        yield refused
    finally:
        thread.refused, thread.allow_private = outer
        with _watch.lock:
            _watch.guarded -= not allow_private


def _connection(arguments: tuple[Any, ...], guarded: bool) -> str | None:
    address = arguments[1]
    if not guarded or not isinstance(address, tuple):
        return None  # no tuple: a local socket of this machine's programs, no internet address
    host, port = str(address[0]), int(address[1])
    if not _is_private(host) or (host, port) in _watch.proxies:
        return None
    return f"to connect to the private address {host} ({_PERMIT})"


def _request(arguments: tuple[Any, ...], guarded: bool) -> str | None:
    """urllib raises the event for every step of a chain of redirects."""
    scheme = urlsplit(str(arguments[0])).scheme.lower()
    return None if scheme in ("http", "https", "data") else f"an address of the kind {scheme}:"


def _program(arguments: tuple[Any, ...], guarded: bool) -> str | None:
    """A program like ffmpeg that is handed an address connects where this hook does not see it."""
    words = arguments[1] if isinstance(arguments[1], list | tuple) else [arguments[1]]
    if guarded and any("://" in os.fsdecode(word) for word in words):
        return f"to have {os.fsdecode(words[0])} fetch an address ({_PERMIT})"
    return None


_CHECKS = {
    "socket.connect": _connection,
    "urllib.Request": _request,
    "subprocess.Popen": _program,
}
_watch = _Watch()


def _is_private(host: str) -> bool:
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True  # an unresolved name; HTTP libraries resolve names before they connect
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return not ip.is_global or ip.is_multicast


def _proxy_addresses() -> set[tuple[str, int]]:
    addresses = set()
    for scheme, proxy in getproxies().items():
        if scheme == "no":
            continue
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 80)
        except OSError:
            continue  # an unreachable proxy fails in the download itself, with its own message
        addresses |= {(str(entry[4][0]), int(entry[4][1])) for entry in found}
    return addresses
