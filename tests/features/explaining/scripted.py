"""Language models that follow a script: one that understands, one that guesses, one that always agrees."""

import json
import random
import re
import threading
from collections import Counter

from monosema.features.explaining import prompts

from .server import Body

_MARKED = re.compile(r"«([^»]*)»")


def kind_of(body: Body) -> str:
    """What a chat asks for."""
    system = body["messages"][0]["content"]
    kinds = {prompts._EXPLAIN: "explain", prompts._DETECT: "detection", prompts._FUZZ: "fuzzing"}
    return (kinds | {prompts._INTRUDE: "intruder", prompts._SIMULATE: "simulation"})[system]


def windows_of(body: Body) -> list[str]:
    return re.split(r"(?:\A|\n\n)(?:Explanation: .*\n\n)?Window \d+:\n", body["messages"][1]["content"])[1:]


def understands(body: Body) -> str:
    """Explains by the token that is marked most, and judges by it."""
    kind, windows = kind_of(body), windows_of(body)
    if kind == "explain":
        counts = Counter(text.strip() for window in windows for text in _MARKED.findall(window))
        return json.dumps({"explanation": f"the number {counts.most_common(1)[0][0]}"})
    if kind == "intruder":
        common = [set(window.split()) for window in windows]
        shared = {word for word in set().union(*common) if sum(word in words for words in common) == len(windows) - 1}
        odd = Counter(next(i for i, words in enumerate(common) if word not in words) for word in shared)
        return json.dumps({"window": 1 + (odd.most_common(1)[0][0] if odd else 0)})
    said = re.search(r"Explanation: .*?(\w+)\n", body["messages"][1]["content"])
    assert said
    if kind == "simulation":
        rows = [[10 * (token.strip() == said[1]) for token in json.loads(window)] for window in windows]
        return json.dumps({"activations": rows})
    if kind == "fuzzing":
        right = [{text.strip() for text in _MARKED.findall(window)} == {said[1]} for window in windows]
        return json.dumps({"ratings": [10 * its for its in right]})
    return json.dumps({"ratings": [10 * (said[1] in window.split()) for window in windows]})


class Guesses:
    """Explains nothing, and rates as a coin falls."""

    def __init__(self) -> None:
        self.random, self.lock = random.Random(0), threading.Lock()

    def __call__(self, body: Body) -> str:
        if kind_of(body) == "explain":
            return understands(body)
        with self.lock:
            return json.dumps({"ratings": [self.random.choice([0, 10]) for _ in windows_of(body)]})


def agrees(body: Body) -> str:
    """Says yes to everything."""
    if kind_of(body) == "explain":
        return understands(body)
    return json.dumps({"ratings": [10] * len(windows_of(body))})
