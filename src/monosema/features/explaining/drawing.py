"""The windows of one feature: what it is explained from, what its explanations are scored on, and every question.

documents that explain   examples (half the strongest, half any where it fires), windows that set thresholds
documents that judge     n_windows where it fires and n_windows where it does not, drawn uniformly
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.seeding import derive
from monosema.features.explaining.config import AT_ONCE, ExplainConfig
from monosema.features.explaining.sources import Acts
from monosema.features.explaining.windows import Windows
from monosema.features.mixing import mixed


@dataclass(frozen=True)
class Shown:
    """Windows that a question is about. `stands_for`: the windows of the text that each stands for."""

    windows: Int64[Tensor, "window"]
    fires: Bool[Tensor, "window"]
    stands_for: Tensor

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True)
class Marked:
    """Windows with some tokens marked: `right` where they are those that it fires on, else as many others."""

    windows: Int64[Tensor, "window"]
    places: tuple[Int64[Tensor, "_"], ...]
    right: Bool[Tensor, "window"]

    def __len__(self) -> int:
        return len(self.windows)


@dataclass(frozen=True)
class Odd:
    """One window where a feature does not fire among some where it does: `windows[at]`."""

    windows: Int64[Tensor, "window"]
    at: int


@dataclass(frozen=True)
class Drawn:
    """One feature with everything that is asked about it. `largest`: its largest activation on what explains."""

    feature: int
    acts: Acts
    largest: float
    examples: Int64[Tensor, "window"]
    fitting: Shown
    judging: Shown
    fitting_marks: Marked
    marks: Marked
    odd: tuple[Odd, ...]


def windows_of(acts: Acts, windows: Windows) -> Bool[Tensor, "window"]:
    """The windows in which a feature fires."""
    fires = torch.zeros(len(windows), dtype=torch.bool)
    number = windows.number_of[acts.places]
    fires[number[number >= 0]] = True
    return fires


def why_too_few(fires: Bool[Tensor, "window"], windows: Windows, n_least: int) -> str:
    """Why a feature cannot be explained and scored, in words; '' where it can."""
    for judging, what in ((False, "to explain from"), (True, "to score on")):
        its = fires[windows.judging == judging]
        n_fires, n_silent = int(its.sum()), int((~its).sum())
        if n_fires < n_least:
            return f"it fires in {n_fires} windows {what}, {n_least} are needed"
        if n_silent < n_least:
            return f"it is silent in {n_silent} windows {what}, {n_least} are needed"
    return ""


def draw(feature: int, acts: Acts, windows: Windows, config: ExplainConfig) -> Drawn:
    """The windows of a feature that has enough, the same for the same seed whatever else is drawn."""
    fires = windows_of(acts, windows)
    salt = derive(config.seed, "windows", feature)
    fitting, judging = (_shown(fires, windows.judging == its, salt, config.n_windows) for its in (False, True))
    largest = acts.at(windows.places(_where(fires & ~windows.judging))[0]).max()
    return Drawn(
        feature=feature,
        acts=acts,
        largest=float(largest),
        examples=_examples(acts, fires & ~windows.judging, windows, salt, config.n_examples),
        fitting=fitting,
        judging=judging,
        fitting_marks=_marked(fitting, acts, windows, derive(config.seed, "marks to fit", feature)),
        marks=_marked(judging, acts, windows, derive(config.seed, "marks", feature)),
        odd=_odd(judging, derive(config.seed, "odd ones", feature)),
    )


def _where(mask: Bool[Tensor, "window"]) -> Int64[Tensor, "some"]:
    return mask.nonzero().flatten()


def _shown(fires: Bool[Tensor, "window"], part: Bool[Tensor, "window"], salt: int, n: int) -> Shown:
    """Up to n windows where it fires and up to n where not, in one shuffled order."""
    kept, stands_for = [], []
    for mask in (fires & part, ~fires & part):
        there = _where(mask)
        kept.append(there[mixed(there, salt).argsort()][:n])
        stands_for.append(torch.full((len(kept[-1]),), len(there) / len(kept[-1]), dtype=torch.float64))
    both, weights = torch.cat(kept), torch.cat(stands_for)
    order = mixed(both, salt ^ 1).argsort()
    return Shown(both[order], fires[both[order]], weights[order])


def _examples(acts: Acts, mask: Bool[Tensor, "window"], windows: Windows, salt: int, n: int) -> Int64[Tensor, "_"]:
    """Half of n by their largest activation, one a document as long as there are documents, then any others."""
    there = _where(mask)
    places, owner = windows.places(there)
    peak = torch.zeros(len(there)).scatter_reduce_(0, owner, acts.at(places), "amax")
    ranked = there[peak.argsort(descending=True, stable=True)]
    documents = windows.documents[ranked].tolist()
    first_of = dict(zip(documents[::-1], ranked.tolist()[::-1], strict=True))
    strongest = set(first_of.values())
    order = sorted(ranked.tolist(), key=lambda window: window not in strongest)  # stable: by strength within each
    top = order[: -(-n // 2)]
    others = [w for w in there[mixed(there, salt ^ 2).argsort()].tolist() if w not in top]
    return torch.tensor([*top, *others[: n - len(top)]], dtype=torch.long)


def _marked(shown: Shown, acts: Acts, windows: Windows, salt: int) -> Marked:
    """Every window where it fires twice, with its own tokens marked and with as many others; never both in one half.

    A window that fires on more than half of its tokens has not as many others, and is left out.
    """
    random = torch.Generator().manual_seed(salt)
    halves: tuple[list, list] = ([], [])
    for i, window in enumerate(shown.windows[shown.fires].tolist()):
        places, _ = windows.places(torch.tensor([window]))
        on = acts.at(places) > 0
        own, others = places[on], places[~on]
        if len(others) < len(own):
            continue
        drawn = others[torch.randperm(len(others), generator=random)[: len(own)]].sort().values
        halves[i % 2].append((window, own, True))
        halves[1 - i % 2].append((window, drawn, False))
    rows = [half[i] for half in halves for i in torch.randperm(len(half), generator=random).tolist()]
    return Marked(
        torch.tensor([window for window, _, _ in rows], dtype=torch.long),
        tuple(places for _, places, _ in rows),
        torch.tensor([right for _, _, right in rows], dtype=torch.bool),
    )


def _odd(shown: Shown, salt: int) -> tuple[Odd, ...]:
    """As many questions as the windows suffice for, each window in at most one."""
    fires, silent = shown.windows[shown.fires], shown.windows[~shown.fires]
    random, found = torch.Generator().manual_seed(salt), []
    for i in range(min(len(fires) // (AT_ONCE - 1), len(silent))):
        members = fires[i * (AT_ONCE - 1) : (i + 1) * (AT_ONCE - 1)].tolist()
        at = int(torch.randint(AT_ONCE, (), generator=random))
        members.insert(at, int(silent[i]))
        found.append(Odd(torch.tensor(members), at))
    return tuple(found)
