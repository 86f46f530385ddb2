"""A server that speaks OpenAI's protocol, asked until it answers or has failed often enough.

    POST {base_url}/chat/completions    POST {base_url}/embeddings        by the standard library alone

429, 408 and 5xx, time-outs, cut connections and bodies that are not JSON are tried again after a wait: Retry-After
where the server says so, else .5, 1, 2 ... 30 seconds times a random number from .5 to 1. A redirect is not followed,
since the key would go with it. The key is in no message, no log and no file.
"""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from monosema.core.errors import RunError
from monosema.features.explaining.config import EndpointConfig

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which a question is asked again."""

HOPELESS = {401: "refused the key", 403: "refused the key", 404: "has no such address or model", 405: "takes no POST"}
"""Statuses that every other question would meet too."""

FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 0.5, 30.0, 600.0
"""Seconds. A server that asks for more patience than the last has failed."""

LARGEST = 64 * 2**20
"""Bytes of an answer."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class EndpointError(RunError):
    """The endpoint cannot be used at all: nothing further is asked."""


class UnansweredError(Exception):
    """One question was not answered, and why. Never leaves this package."""


@dataclass(frozen=True)
class Reply:
    """What came back, and how many tokens the server counted; 0 where it did not say."""

    data: Any
    prompt_tokens: int
    completion_tokens: int


class _Passing(Exception):  # noqa: N818
    """What may be different the next time; `wait` is what the server asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # type: ignore[override]
        return None


class Endpoint:
    """The server. Any number of threads may ask; `sent` counts every request, `stop` ends all waiting."""

    def __init__(self, config: EndpointConfig, key: str, wait: Callable[[float], object] | None = None) -> None:
        """`wait` takes the place of waiting, in tests."""
        self.config, self._key = config, key
        self.stop = threading.Event()
        self.sent = 0
        self._wait = wait or self.stop.wait
        self._lock, self._random = threading.Lock(), random.Random()
        local = urlsplit(config.base_url).hostname in LOOPBACK
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_StayHere, *proxies)

    def chat(self, messages: Sequence[dict[str, str]], max_tokens: int) -> Reply:
        """The text of the answer. Raises UnansweredError, EndpointError."""
        body = {"model": self.config.model, "messages": list(messages), "temperature": 0, "max_tokens": max_tokens}
        return self._asked("chat/completions", body, _content)

    def embed(self, texts: Sequence[str]) -> Reply:
        """A vector a text. Raises UnansweredError, EndpointError."""
        body = {"model": self.config.embedding, "input": list(texts), "encoding_format": "float"}
        return self._asked("embeddings", body, lambda data: _vectors(data, len(texts)))

    def _asked(self, path: str, body: dict[str, Any], read: Callable[[Any], Any]) -> Reply:
        reason = ""
        for attempt in range(self.config.tries):
            try:
                data = self._post(path, body)
                usage = data.get("usage") if isinstance(data, dict) else None
                return Reply(read(data), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
            except _Passing as passing:
                reason, wait = str(passing), passing.wait
            if wait is not None and wait > LONGEST_ASKED:
                raise UnansweredError(f"{reason}, and asks to wait {wait:,.0f} s")
            if attempt + 1 < self.config.tries:
                jittered = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * self._random.uniform(0.5, 1.0)
                self._wait(jittered if wait is None else wait)
        raise UnansweredError(f"{reason}, {self.config.tries} times")

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        if self.stop.is_set():
            raise UnansweredError("interrupted")
        with self._lock:
            self.sent += 1
        url = f"{self.config.base_url.rstrip('/')}/{path}"
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "monosema"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with self._opener.open(request, timeout=self.config.timeout) as response:
                raw = self._body(response)
        except urllib.error.HTTPError as error:
            raise self._refusal(path, error) from None
        except TimeoutError as error:
            raise _Passing(f"no answer within {self.config.timeout:g} s") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _Passing(f"no answer within {self.config.timeout:g} s") from error
            raise _Passing(f"no connection ({error.reason})") from error
        except (HTTPException, OSError) as error:
            raise _Passing(f"the connection was cut ({type(error).__name__})") from error
        try:
            return json.loads(raw)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Passing("the answer is not JSON") from error

    def _body(self, response: Any) -> bytes:
        """All of the body, within the time-out. Raises _Passing when it ends too early or does not end."""
        until, parts, size = time.monotonic() + self.config.timeout, [], 0
        while part := response.read1(65536):
            parts.append(part)
            size += len(part)
            if time.monotonic() > until:
                raise _Passing(f"the answer did not end within {self.config.timeout:g} s")
            if size > LARGEST:
                raise _Passing(f"the answer has more than {LARGEST:,} bytes")
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and size < int(announced):
            raise _Passing("the connection was cut in the middle of the answer")
        return b"".join(parts)

    def _refusal(self, path: str, error: urllib.error.HTTPError) -> Exception:
        """What a status that is not 200 means."""
        said = self._said(error)
        if error.code in AGAIN:
            return _Passing(f"status {error.code}{said}", _retry_after(error.headers.get("Retry-After", "")))
        if error.code in HOPELESS:
            key = f"; the key is read from {self.config.key_variable}" if error.code in (401, 403) else ""
            where = f"{self.config.base_url.rstrip('/')}/{path}"
            return EndpointError(f"{where} {HOPELESS[error.code]} (status {error.code}{said}){key}")
        if 300 <= error.code < 400:
            where = urlsplit(error.headers.get("Location", "")).hostname or "elsewhere"
            return EndpointError(f"{self.config.base_url} sends on to {where}: give that address")
        return UnansweredError(f"status {error.code}{said}")

    def _said(self, error: urllib.error.HTTPError) -> str:
        """What the server says of its refusal, shortened, without the key."""
        try:
            text = error.read(2000).decode("utf-8", "replace")
        except (HTTPException, OSError):
            return ""
        text = " ".join(text.split())
        if self._key:
            text = text.replace(self._key, "[key]")
        return f": {text[:200]}" if text else ""


def _content(data: Any) -> str:
    """The text of a chat answer. Raises _Passing when the answer is of another form."""
    match data:
        case {"choices": [{"message": {"content": str(text)}}, *_]}:
            return text
    raise _Passing("the answer has no choices[0].message.content")


def _vectors(data: Any, n: int) -> list[list[float]]:
    """The vectors of an /embeddings answer, in the order of the texts."""
    match data:
        case {"data": list(rows)} if len(rows) == n:
            found = {row["index"]: row["embedding"] for row in rows if isinstance(row, dict) and _has_vector(row)}
            if set(found) == set(range(n)) and len({len(vector) for vector in found.values()}) == 1:
                return [found[i] for i in range(n)]
    raise _Passing(f"the answer has not {n} embeddings")


def _has_vector(row: dict[str, Any]) -> bool:
    vector = row.get("embedding")
    return "index" in row and isinstance(vector, list) and all(isinstance(x, int | float) for x in vector)


def _count(usage: Any, name: str) -> int:
    n = usage.get(name) if isinstance(usage, dict) else None
    return n if isinstance(n, int) and n >= 0 else 0


def _retry_after(text: str) -> float | None:
    """Seconds that the server asks to wait; None where it does not say, or cannot be understood."""
    text = text.strip()
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
