"""Who may talk to the page: whoever knows its address, in a tab of the page itself.

The address holds a random token as the first part of every path: no cookie, which all ports of a machine would share. A
page elsewhere can make a browser send requests here, but not from our origin, and, its name being made to lead here
(DNS rebinding), under a host's name that is not ours.
"""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

LARGEST_BODY = 256 * 1024  # Bytes of a request; nothing is uploaded.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def new_token() -> str:
    """Returns a token of 192 random bits, for a path."""
    return secrets.token_urlsafe(24)


def is_ours(host: str, names: Collection[str]) -> bool:
    """Tells whether a Host header is that of a server bound to `names`, at any port, as a tunnel may change it.

    Args:
      host: "localhost:8765", "[::1]:8765".
      names: The addresses or names that the command line gave. Loopback's always count; where it gave 0.0.0.0 or ::,
        so does every address of numbers, which no foreign name can be made to look like.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in names:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or bool({"0.0.0.0", "::"} & set(names))


def fault_of(request: web.BaseRequest, token: str, names: Collection[str]) -> tuple[int, str] | None:
    """Says what is wrong with a request, as (status, text); None where nothing is."""
    host = request.headers.get("Host", "")
    if not is_ours(host, names):
        return 403, "unknown host: open the address that the command printed\n"
    given = request.path.removeprefix("/").partition("/")[0]
    if not secrets.compare_digest(given.encode(), token.encode()):
        return 403, "no access: open the address that the command printed, with all its letters\n"
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return 403, "asked by another page\n"
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return 403, "asked by another page\n"
    if request.method not in ("GET", "HEAD", "POST"):
        return 405, "GET and POST alone\n"
    if request.method == "POST" and request.content_type != "application/json":
        return 415, "JSON alone\n"
    return None


def guard(token: str, names: Collection[str]) -> Callable:
    """Makes the middleware that refuses what `fault_of` finds."""

    @web.middleware
    async def check(request: web.Request, handler: Callable[[web.Request], Awaitable]) -> web.StreamResponse:
        if fault := fault_of(request, token, names):
            return web.Response(status=fault[0], text=fault[1])
        return await handler(request)

    return check


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Puts `HEADERS` on every response; frames may be kept by the browser, the rest is asked for anew."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
