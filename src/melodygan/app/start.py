"""`melodygan app`: bind, say where, and serve until Ctrl-C."""

import ipaddress
import secrets
import socket
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.names import slug
from melodygan.pipeline.runtime import cache_root

LOOPBACK = "127.0.0.1"


def start(port: int, share_host: str | None) -> None:
    """Serve the page. Raises UserError without the extra `app`, and for a place that is not free.

    share_host: an address of this machine by which others may come, with a token; else nobody but
    this machine can.
    """
    try:
        import uvicorn

        from melodygan.app.server import Site
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UserError("the page needs its packages: `uv sync --extra app`") from None
    bound = bind(share_host or LOOPBACK, port)
    token = secrets.token_urlsafe(24) if share_host else None
    site = Site(names(share_host, port), token, own_folder(share_host, port))
    config = uvicorn.Config(
        site.app, log_level="warning", server_header=False, lifespan="on", http="h11", ws="none",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    shown = share_host or LOOPBACK
    where = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
    print(
        f"MelodyGAN is at {where}{f'?token={token}' if token else ''} (Ctrl-C ends it)", flush=True
    )
    uvicorn.Server(config).run(sockets=[bound])


def names(share_host: str | None, port: int) -> list[str]:
    """What a request may name as its host."""
    hosts = [LOOPBACK, "localhost"] if share_host is None else [share_host]
    hosts = [f"[{host}]" if ":" in host else host for host in hosts]
    bare = hosts if port == 80 else []  # a browser leaves out the port that it expects
    return [f"{host}:{port}" for host in hosts] + bare


def own_folder(share_host: str | None, port: int) -> Path:
    """Where a page keeps uploads and results: its own, for the next one there empties it."""
    return cache_root() / "app" / f"{slug(share_host or LOOPBACK)}-{port}"


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens at an address of this machine. Raises UserError where that cannot be.

    An address that stands for all there are is refused: which one is meant must be said, since
    requests have to name it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--share-host {host}: {error}: give an address of this machine") from None
    family, kind, protocol, _, address = found[0]
    if ipaddress.ip_address(address[0]).is_unspecified:
        raise UserError(f"--share-host {host} stands for all addresses: name the one to come by")
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        raise UserError(
            f"port {port} at {host}: {error.strerror}: choose another with --port"
        ) from None
    return bound
