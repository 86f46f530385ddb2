"""A server that speaks OpenAI's protocol, on this machine, and whatever it is told to do wrong."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Wrong:
    """An answer that is none. `after` seconds; `cut` closes the connection in the middle of the body."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    cut: bool = False


@dataclass
class Server:
    """Answers each chat with `say(body)`: its text, or a `Wrong`. Keeps every request."""

    say: Callable[[Body], "str | Wrong"]
    url: str = ""
    bodies: list[Body] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serving(say: Callable[[Body], str | Wrong], embed: Callable[[str], list[float]] | None = None):
    """A `Server` as long as the context lasts."""
    server = Server(say)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.bodies.append(body)
                server.paths.append(self.path)
                server.authorizations.append(self.headers.get("Authorization"))
            if self.path.endswith("/embeddings"):
                assert embed is not None
                rows = [{"index": i, "embedding": embed(text)} for i, text in enumerate(body["input"])]
                self.answer(200, json.dumps({"data": rows[::-1], "usage": {"prompt_tokens": 7}}))
                return
            said = server.say(body)
            if isinstance(said, Wrong):
                self.wrong(said)
            else:
                usage = {"prompt_tokens": 100, "completion_tokens": 10}
                message = {"role": "assistant", "content": said}
                self.answer(200, json.dumps({"choices": [{"message": message}], "usage": usage}))

        def wrong(self, said: Wrong) -> None:
            time.sleep(said.after)
            self.answer(said.status, said.text, said.headers, cut=said.cut)

        def answer(self, status: int, text: str, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
            raw = text.encode()
            try:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw) + 1000 * cut))
                self.end_headers()
                self.wfile.write(raw)
                self.close_connection = True
            except OSError:
                pass  # the client did not wait

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    listening = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def in_turn(*answers: "str | Wrong") -> Callable[[Body], "str | Wrong"]:
    """Says one after the other, the last again and again."""
    left, lock = list(answers), threading.Lock()

    def say(_: Body) -> "str | Wrong":
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return say
