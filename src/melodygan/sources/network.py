"""Keeps downloads away from private networks: a feed from outside must not make us fetch inside.

Checked where a connection is made, not where an address is written, so that names, redirects and
playlist entries that lead to a private address are refused as well.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies


class _Watch:
    """Process-wide, because audit hooks are; `refused` is None while nothing is watched."""

    def __init__(self) -> None:
        self.refused: list[str] | None = None
        self.proxies: set[tuple[str, int]] = set()
        self.installed = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect" or self.refused is None:
            return
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a local socket of this machine's own programs, not an internet address
        host, port = str(address[0]), int(address[1])
        if _is_private(host) and (host, port) not in self.proxies:
            self.refused.append(host)
            raise ConnectionRefusedError(f"{host} is a private address")


_watch = _Watch()


@contextmanager
def public_only(active: bool = True) -> Iterator[list[str]]:
    """Within the block connections to addresses that are not public fail with an OSError.

    Yields the list of addresses that were refused. The user's own proxies stay reachable.
    active: False lets everything through.
    """
    refused: list[str] = []
    if not active:
        yield refused
        return
    if not _watch.installed:
        sys.addaudithook(_watch.hook)
        _watch.installed = True
    _watch.proxies = _proxy_addresses()
    _watch.refused = refused
    try:
        yield refused
    finally:
        _watch.refused = None


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
