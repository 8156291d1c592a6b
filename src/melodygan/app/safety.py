"""Who may ask what: looked at before anything else, for every request.

Any web site that a user visits can send requests to 127.0.0.1 from the user's own browser. So a
request must name this server as its Host (a name that a stranger points at this address is no
name of ours: DNS rebinding), and what changes anything must come from our own page: by its Origin,
where a browser says so, and by a key that only the page has (a page of another origin cannot read
it). Beyond this machine the token is needed as well.
"""

import secrets
from collections.abc import Iterable
from http.cookies import SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR, TOKEN, KEY = "melodygan_visitor", "melodygan_token", "x-melodygan-key"
_SAFE = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# of the pipeline's own pages: one file each, which may show what is in it and nothing else
PAGE_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; sandbox; "
    "frame-ancestors 'self'"
)


class Safety:
    """ASGI middleware. names: of this server, as Host headers say it, with the port.

    token: what visitors must show once, as `?token=`; None on the loopback interface.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], token: str | None, key: str) -> None:
        self.app, self.names = app, frozenset(names)
        self.token, self.key = token, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        headers = Headers(scope=scope)
        cookies = SimpleCookie(headers.get("cookie", ""))
        visitor = cookies[VISITOR].value if VISITOR in cookies else ""
        new = not 16 <= len(visitor) <= 64
        scope["visitor"] = secrets.token_urlsafe(24) if new else visitor

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(MutableHeaders(scope=message), scope["visitor"] if new else None)
            await send(message)

        refusal = self._refusal(scope, headers, cookies)
        await (refusal or self.app)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers, cookies: SimpleCookie) -> Response | None:
        """Why a request is not looked at, or None."""
        if headers.get("host", "") not in self.names:
            return PlainTextResponse("not the name of this server", 421)
        if self.token is not None and not self._known(cookies):
            return self._ask_token(scope)
        if scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        ours = {f"http://{name}" for name in self.names}
        key = headers.get(KEY, "")
        if (origin is not None and origin not in ours) or not _same(key, self.key):
            return PlainTextResponse("only this server's own page may do that", 403)
        return None

    def _known(self, cookies: SimpleCookie) -> bool:
        return TOKEN in cookies and _same(cookies[TOKEN].value, self.token or "")

    def _ask_token(self, scope: Scope) -> Response:
        """Take the token out of the address into a cookie; without it, say where it is."""
        given = scope["query_string"].decode("latin-1").removeprefix("token=")
        if scope["method"] == "GET" and scope["path"] == "/" and _same(given, self.token or ""):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(TOKEN, given, httponly=True, samesite="strict")
            return answer
        told = "open the address that `melodygan app` printed: the token is in it"
        return PlainTextResponse(told, 401)

    def _mark(self, headers: MutableHeaders, visitor: str | None) -> None:
        headers.setdefault("content-security-policy", POLICY)
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "no-referrer"
        headers["cross-origin-resource-policy"] = "same-origin"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers.setdefault("cache-control", "no-store")
        if visitor:
            headers.append("set-cookie", f"{VISITOR}={visitor}; HttpOnly; SameSite=Strict; Path=/")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
