"""Who may ask for what: a layer around the whole server.

- the Host must be one of ours, so that no foreign name can be pointed at this machine (DNS rebinding);
- beyond loopback every request brings the token, once in the address and then in a cookie;
- what changes something comes from our own pages (Origin, or Sec-Fetch-Site), and is small;
- what another site embeds or fetches is refused, so that none can set the model to work: its links may lead here;
- every answer says what the browser may do with it: nothing from elsewhere, no framing, no guessing.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
COOKIE = "monosema"
LARGEST_BODY = 64 * 1024
LARGEST_FILE = 64 * 1024 * 1024
FILES = ("/graph/open",)
"""Where a whole file is sent."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Doors:
    """What is let in. `token` '' asks for none; `hosts` are names, without port."""

    hosts: frozenset[str] = frozenset(LOOPBACK)
    token: str = ""
    any_address: bool = False

    def admits(self, host: str) -> bool:
        """Whether a Host header is ours. `any_address` admits every IP address, which no name can stand for."""
        name = _name(host)
        return name in self.hosts or (self.any_address and _is_address(name))

    def knows(self, given: str) -> bool:
        """Whether this is the token, or what its cookie holds."""
        secret = given.encode()
        return any(secrets.compare_digest(secret, right.encode()) for right in (self.token, stamp(self.token)))


def stamp(token: str) -> str:
    """What the cookie holds in place of the token."""
    return hashlib.sha256(f"monosema {token}".encode()).hexdigest()


class Guard:
    """Wraps an ASGI app; `doors` says what it lets in."""

    def __init__(self, app: App, doors: Doors) -> None:
        self.app, self.doors = app, doors

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        sending = _marked(send)
        if not self.doors.admits(headers.get("host", "")):
            await _say(sending, 421, "This server answers to its own address only: open the one it printed.")
        elif self.doors.token and not self._authorised(headers):
            await self._ask(scope, sending)
        elif _embedded(headers):
            await _say(sending, 403, "Another site may lead here by a link, and no other way.")
        elif scope["method"] not in ("GET", "HEAD") and (why := _refused(headers, _largest(scope["path"]))):
            await _say(sending, 403, why)
        else:
            await self.app(scope, receive, sending)

    def _authorised(self, headers: Mapping[str, str]) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        kept = cookies[COOKIE].value if COOKIE in cookies else ""
        return any(given and self.doors.knows(given) for given in (bearer, kept))

    async def _ask(self, scope: Message, send: Send) -> None:
        """A token in the address becomes a cookie, and the address is opened again without it."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(pairs).get("token", "")
        if scope["method"] != "GET" or not given or not self.doors.knows(given):
            await _say(send, 401, "A token is needed: open the address that the server printed, with ?token=... in it.")
            return
        rest = urlencode([pair for pair in pairs if pair[0] != "token"])
        path = "/" + scope["raw_path"].decode("latin-1").lstrip("/")
        cookie = f"{COOKIE}={stamp(self.doors.token)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
        more = [(b"location", f"{path}{'?' * bool(rest)}{rest}".encode()), (b"set-cookie", cookie.encode())]
        await _say(send, 303, "Go on.", more)


def _embedded(headers: Mapping[str, str]) -> bool:
    """Whether another site asks for anything but to be led here, as the browser says."""
    led = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return headers.get("sec-fetch-site") == "cross-site" and not led


def _largest(path: str) -> int:
    return LARGEST_FILE if path in FILES else LARGEST_BODY


def _refused(headers: Mapping[str, str], largest: int) -> str:
    """Why a request that changes something is refused; '' when it comes from our own pages and is small."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    own = origin is not None and origin.partition("://")[2] == headers.get("host")
    if not (own if origin is not None else site == "same-origin"):
        return "What changes something must come from a page of this server."
    length = headers.get("content-length", "")
    if not length.isdigit() or int(length) > largest:
        return f"The text is too long: at most {largest // 1024} kB."
    return ""


def _marked(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            own = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": [*message["headers"], *own]}
        await send(message)

    return sending


async def _say(send: Send, status: int, text: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
