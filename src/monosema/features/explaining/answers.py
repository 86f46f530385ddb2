"""Every answer of an endpoint, kept in a file the moment it comes, so that nothing is asked twice.

RUN/answers.jsonl    one JSON object a line: key, kind, content, prompt_tokens, completion_tokens

The key is a fingerprint of the model's name, of what the question is about and of its whole text: another prompt is
another question. A line that a kill cut short is dropped, and taken off when the next answer comes: reading changes
nothing.
"""

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monosema.core.errors import DamagedError


@dataclass(frozen=True)
class Answer:
    """An answer that could be read. `content`: the text, or for embeddings the likeness of each window."""

    key: str
    kind: str
    content: Any
    prompt_tokens: int
    completion_tokens: int


def key_of(model: str, about: str, messages: Any) -> str:
    """The key of a question."""
    text = json.dumps([model, about, messages], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Answers:
    """The file. `add` returns once the answer has reached the disk; any thread may add."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedError for a line, other than the last, that is not one of these."""
        self.path, self._lock = path, threading.Lock()
        self._found: dict[str, Answer] = {}
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        self._cut_to = len(whole) if len(whole) < len(text) else None
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                answer = Answer(**json.loads(line))
            except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
                raise DamagedError(f"{path}, line {number}, is not an answer ({error}): take that line out") from error
            self._found[answer.key] = answer

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> Answer | None:
        """The answer to a question, if there is one."""
        return self._found.get(key)

    def add(self, answer: Answer) -> None:
        """Keep an answer."""
        line = json.dumps(asdict(answer), ensure_ascii=False) + "\n"
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                if self._cut_to is not None:
                    file.truncate(self._cut_to)
                    self._cut_to = None
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            self._found[answer.key] = answer
