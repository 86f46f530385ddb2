"""The client against a real server on this machine, and every way in which it may fail."""

import email.utils
import json
import socket
import time

import pytest

from monosema.core.errors import ConfigError
from monosema.features.explaining.client import Endpoint, EndpointError, UnansweredError
from monosema.features.explaining.config import EndpointConfig

from .server import Wrong, in_turn, serving

ASKED = [{"role": "user", "content": "?"}]
KEY = "sk-very-secret-0123456789"


def endpoint(url: str, waits: list[float] | None = None, **settings) -> Endpoint:
    config = EndpointConfig(
        url, "tiny", tries=settings.pop("tries", 4), timeout=settings.pop("timeout", 5.0), **settings
    )
    return Endpoint(config, KEY, (waits if waits is not None else []).append)


def test_a_question_and_its_answer():
    with serving(in_turn("yes")) as server:
        reply = endpoint(f"{server.url}/").chat(ASKED, 50)
    assert (reply.data, reply.prompt_tokens, reply.completion_tokens) == ("yes", 100, 10)
    assert server.bodies == [{"model": "tiny", "messages": ASKED, "temperature": 0, "max_tokens": 50}]
    assert server.paths == ["/v1/chat/completions"] and server.authorizations == [f"Bearer {KEY}"]


def test_without_a_key_none_is_sent():
    with serving(in_turn("yes")) as server:
        Endpoint(EndpointConfig(server.url, "tiny"), "").chat(ASKED, 50)
    assert server.authorizations == [None]


def test_retry_after_is_honoured_in_seconds_and_as_a_date():
    date = email.utils.formatdate(time.time() + 40, usegmt=True)
    waits: list[float] = []
    busy = [Wrong(429, "busy", {"Retry-After": "7"}), Wrong(429, "busy", {"Retry-After": date})]
    with serving(in_turn(*busy, "yes")) as server:
        asked = endpoint(server.url, waits)
        assert asked.chat(ASKED, 5).data == "yes"
    assert waits[0] == 7.0 and 30 < waits[1] <= 41 and asked.sent == 3


def test_a_server_that_asks_for_too_much_patience_has_failed():
    with serving(in_turn(Wrong(429, "", {"Retry-After": "86400"}))) as server:
        asked = endpoint(server.url)
        with pytest.raises(UnansweredError, match="status 429, and asks to wait 86,400 s"):
            asked.chat(ASKED, 5)
    assert asked.sent == 1


def test_waits_double_with_jitter_and_end():
    waits: list[float] = []
    with serving(in_turn(Wrong(500, "oh no"))) as server:
        asked = endpoint(server.url, waits, tries=5)
        with pytest.raises(UnansweredError, match=r"^status 500: oh no, 5 times$"):
            asked.chat(ASKED, 5)
    assert asked.sent == 5 and len(waits) == 4
    assert all(base / 2 <= wait <= base for base, wait in zip((0.5, 1, 2, 4), waits, strict=True))


GOOD = json.dumps({"choices": [{"message": {"content": "yes"}}]})
PASSING = {
    "500": Wrong(500),
    "503": Wrong(503),
    "time-out": Wrong(200, GOOD, after=0.6),
    "not JSON": Wrong(200, "<html>"),
    "cut": Wrong(200, GOOD[:20], cut=True),
    "cut, though whole JSON": Wrong(200, GOOD, cut=True),
    "another form": Wrong(200, '{"choices": []}'),
    "no text": Wrong(200, '{"choices": [{"message": {"content": null}}]}'),
    "a list": Wrong(200, "[]"),
}


@pytest.mark.parametrize("wrong", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_asked_again(wrong):
    with serving(in_turn(wrong, "yes")) as server:
        asked = endpoint(server.url, timeout=0.3)
        assert asked.chat(ASKED, 5).data == "yes" and asked.sent == 2


def test_what_does_not_pass_says_why():
    reasons = {
        "time-out": "no answer within 0.2 s, 2 times",
        "not JSON": "the answer is not JSON, 2 times",
        "cut": "the connection was cut in the middle of the answer, 2 times",
        "another form": r"the answer has no choices\[0\].message.content, 2 times",
    }
    for name, reason in reasons.items():
        with serving(in_turn(PASSING[name])) as server, pytest.raises(UnansweredError, match=reason):
            endpoint(server.url, timeout=0.2, tries=2).chat(ASKED, 5)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(UnansweredError, match="no connection"):
        endpoint(url, tries=2).chat(ASKED, 5)


def test_a_bad_request_is_not_repeated_and_a_refusal_ends_all_without_the_key():
    with serving(in_turn(Wrong(400, "too long"))) as server:
        asked = endpoint(server.url)
        with pytest.raises(UnansweredError, match="status 400: too long"):
            asked.chat(ASKED, 5)
        assert asked.sent == 1
    with serving(in_turn(Wrong(401, f"bad key {KEY}"))) as server, pytest.raises(EndpointError) as caught:
        endpoint(server.url).chat(ASKED, 5)
    assert "refused the key (status 401: bad key [key]); the key is read from MONOSEMA_API_KEY" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_key():
    with serving(in_turn("yes")) as elsewhere:
        moved = Wrong(307, "", {"Location": f"{elsewhere.url}/chat/completions"})
        with serving(in_turn(moved)) as server, pytest.raises(EndpointError, match=r"sends on to 127.0.0.1"):
            endpoint(server.url).chat(ASKED, 5)
    assert not elsewhere.bodies


def test_embeddings_come_in_the_order_of_the_texts():
    with serving(in_turn(""), lambda text: [float(len(text)), 1.0]) as server:
        config = EndpointConfig(server.url, "tiny", ("embedding",), embedding="vectors")
        reply = Endpoint(config, "").embed(["a", "bbb"])
    assert reply.data == [[1.0, 1.0], [3.0, 1.0]] and reply.prompt_tokens == 7
    assert server.bodies[0]["model"] == "vectors"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "takes both --base-url and --model"),
        ({"base_url": "127.0.0.1:1", "model": "m"}, "must be an address such as"),
        ({"base_url": "http://me:secret@host/v1", "model": "m"}, "base_url holds a secret"),
        ({"base_url": "http://host/v1?key=secret", "model": "m"}, "base_url holds a secret"),
        ({"base_url": "http://host/v1", "model": "tokens"}, "that is a baseline's name"),
        ({"base_url": "http://host/v1", "model": "m", "embedding": "e"}, "'embedding' among the scores"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"tries": 0}, "tries is 0"),
    ],
)
def test_settings_that_cannot_work(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        EndpointConfig(**settings)
    assert "secret@" not in str(caught.value) and "key=secret" not in str(caught.value)


def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("MONOSEMA_API_KEY", raising=False)
    assert EndpointConfig().key() == ""
    monkeypatch.setenv("MONOSEMA_API_KEY", f" {KEY}\n")
    assert EndpointConfig().key() == KEY
    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        EndpointConfig(key_variable="MY_KEY").key()
    monkeypatch.setenv("MY_KEY", "two\nlines")
    with pytest.raises(ConfigError, match="characters that no key has"):
        EndpointConfig(key_variable="MY_KEY").key()
