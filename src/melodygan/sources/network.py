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

_PUBLIC = ipaddress.IPv6Network("2000::/3")
_CARRIERS = [
    ipaddress.IPv6Network(network)
    for network in (
        "::ffff:0:0/96",  # mapped (RFC 4291)
        "::ffff:0:0:0/96",  # translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
    )
]
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
    """urllib raises the event for every step of a chain of redirects.

    Through a proxy there is no connection to the address itself, so it is looked at here.
    """
    parts = urlsplit(str(arguments[0]))
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if scheme not in ("http", "https", "data"):
        return f"an address of the kind {scheme}:"
    if guarded and scheme != "data" and _watch.proxies and _leads_inside(host):
        return f"to have a proxy connect to the private address {host} ({_PERMIT})"
    return None


def _leads_inside(host: str) -> bool:
    """Whether a host, a number in any notation or a name, is private as far as can be known here.

    A name that only the proxy can resolve is taken as public if it looks like a public one.
    """
    host = host.rstrip(".").partition("%")[0].lower()
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        inner = host.endswith((".local", ".localhost", ".internal", ".lan", ".home", ".home.arpa"))
        return inner or "." not in host or ":" in host
    return any(_is_private(str(entry[4][0])) for entry in found)


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
    if isinstance(ip, ipaddress.IPv4Address):
        return not ip.is_global or ip.is_multicast
    if (inner := _inner(ip)) is not None:
        return _is_private(str(inner))
    # of all others only this block is handed out for the public (RFC 4291, 2.4)
    return ip not in _PUBLIC or not ip.is_global or ip.is_multicast


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to `ip` are sent on to by some gateway, or None."""
    if ip.sixtofour is not None:
        return ip.sixtofour
    # interface identifiers of ISATAP (RFC 5214, 6.1), in any network
    isatap = (int(ip) >> 32) & 0xFFFF_FFFF in (0x0000_5EFE, 0x0200_5EFE)
    if isatap or any(ip in network for network in _CARRIERS):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None


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
