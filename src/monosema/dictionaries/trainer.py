"""Training: many dictionaries in one pass over the activations.

    for batch in source:                     one read, one scaling, one copy for all
        for learner in learners:             each its own loss, optimiser and guards
            learner.step(...)

A run killed at any moment resumes from its last checkpoint and ends with the same bits. A dictionary
that diverges is stopped before the step that would break it, named, and kept; the others go on.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from monosema.core.config import require, require_range, to_json
from monosema.core.errors import ConfigError, DivergedError
from monosema.core.interrupts import interruption
from monosema.core.memory import keep_freed_memory
from monosema.core.progress import progress
from monosema.core.runs import write_text
from monosema.core.seeding import derive
from monosema.core.timing import clock, timed
from monosema.dictionaries.checkpoint import read_checkpoint, require_same, write_checkpoint
from monosema.dictionaries.dictionary import Dictionary
from monosema.dictionaries.feeding import feeding
from monosema.dictionaries.folder import save
from monosema.dictionaries.kernels import backend_name
from monosema.dictionaries.l1 import L1Config
from monosema.dictionaries.learner import Learner, Length
from monosema.dictionaries.scaling import ActivationBatch, Scaling, check_finite, measure, together
from monosema.dictionaries.spec import DictionarySpec


@runtime_checkable
class Source(Protocol):
    """Where batches come from: a store, a stream, or anything with these four."""

    @property
    def widths(self) -> Mapping[str, int]: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[ActivationBatch]: ...


@dataclass(frozen=True)
class TrainConfig:
    """rows: activations each dictionary sees, over as many epochs as that takes. scaling_batches: how
    many batches the scale and the initial b_dec are measured on. accumulate: batches whose gradients make
    one optimiser step, for batches that do not fit in memory at once."""

    rows: int = 4_000_000
    batch_size: int = 4096
    seed: int = 0
    scaling_batches: int = 8
    accumulate: int = 1
    log_every: int = 50
    checkpoint_seconds: float = 60.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        require_range("batch_size", self.batch_size, 1)
        require(self.rows >= self.batch_size, f"rows is {self.rows}: at least one batch of {self.batch_size} is needed")
        require_range("scaling_batches", self.scaling_batches, 1)
        require_range("accumulate", self.accumulate, 1)
        require(
            self.rows >= self.batch_size * self.accumulate,
            f"rows is {self.rows}: one step takes {self.accumulate} batches of {self.batch_size}",
        )
        require_range("log_every", self.log_every, 1)
        require_range("checkpoint_seconds", self.checkpoint_seconds, 0)

    @property
    def steps(self) -> int:
        return self.rows // (self.batch_size * self.accumulate)


@dataclass(frozen=True)
class Trained:
    """What a run made: the dictionaries by name, and why others were stopped."""

    dictionaries: dict[str, Dictionary]
    diverged: dict[str, str]


def _silent(row: dict[str, Any]) -> None:
    """A log that keeps nothing: the curves are on disk all the same."""
    del row


def train(
    source: Source,
    specs: Sequence[DictionarySpec],
    config: TrainConfig,
    out: Path,
    metadata: Mapping[str, Any] | None = None,
    log: Callable[[dict[str, Any]], None] = _silent,
) -> Trained:
    """Train `specs` on `source` and save them as `out/<name>`; a diverged one as `out/diverged/<name>`.

    `out/train.jsonl` holds the loss curves and `out/checkpoint.safetensors` the state while it runs:
    with both there, the same call resumes. `log` gets what happens beside the curves.
    Raises ConfigError before the first step for what cannot work, DivergedError when nothing is left.
    """
    _check(source, specs)
    trainer = _Trainer(source, specs, config, out, dict(metadata or {}), log)
    return trainer.run()


def _check(source: Source, specs: Sequence[DictionarySpec]) -> None:
    require(len(specs) > 0, "no dictionary to train: give at least one")
    names = [spec.name for spec in specs]
    twice = {name for name in names if names.count(name) > 1}
    require(not twice, f"two dictionaries are called {', '.join(sorted(twice))}: name them, as in 'wide=topk,k=32'")
    require("diverged" not in names, "'diverged' names the folder of stopped dictionaries: choose another name")
    for spec in specs:
        require(bool(spec.reads) and bool(spec.writes), f"'{spec.name}' reads or writes no site")
        for site in (*spec.reads, *spec.writes):
            known = ", ".join(source.widths)
            require(
                site in source.widths, f"'{spec.name}' needs {site}; the activations are of {known}: harvest it too"
            )
        if isinstance(spec.config, L1Config) and spec.config.tied and spec.reads != spec.writes:
            raise ConfigError(f"'{spec.name}' is tied, so it must write where it reads")


@final
class _Trainer:
    def __init__(
        self,
        source: Source,
        specs: Sequence[DictionarySpec],
        config: TrainConfig,
        out: Path,
        metadata: dict[str, Any],
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        self.source, self.specs, self.config, self.out, self.log = source, specs, config, out, log
        self.metadata = {
            **metadata,
            "rows": config.steps * config.accumulate * config.batch_size,
            "source": source.fingerprint,
        }
        self.checkpoint, self.curves = out / "checkpoint.safetensors", out / "train.jsonl"
        self.step = 0
        self.rows: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)
        state, tensors = self._found()
        scaling = Scaling(**state["scaling"]) if state else self._measured()
        self.scaling = scaling
        self.factors = {site: scaling.factor([site]).to(config.device) for site in source.widths}
        length = Length(config.rows, config.steps)
        self.learners = [Learner(spec, scaling, config.seed, config.device, length) for spec in specs]
        if state:
            self._restore(state, tensors)

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must share with this run to be resumed."""
        settings = to_json(self.config)
        assert isinstance(settings, dict)
        settings = {k: v for k, v in settings.items() if k not in ("checkpoint_seconds", "device")}
        dictionaries = [spec.to_json() for spec in self.specs]
        return {"dictionaries": dictionaries, "settings": settings, "source": self.source.fingerprint}

    def run(self) -> Trained:
        keep_freed_memory()
        config, seconds, first = self.config, dict[str, float](), self.step
        started = saved_at = time.monotonic()
        seed, start = derive(config.seed, "batches"), self.step * config.accumulate
        source = self.source.batches(config.batch_size, seed, start)
        with (
            feeding(source, config.device) as batches,
            progress("train", config.steps) as bar,
            interruption() as interrupted,
            clock(seconds),
        ):
            bar.advance(self.step)
            while self.step < config.steps and self._going():
                self._take(batches)
                bar.advance(1, self._note())
                if time.monotonic() - saved_at > config.checkpoint_seconds:
                    self._save_checkpoint()
                    saved_at = time.monotonic()
                if interrupted():
                    self._save_checkpoint()
                    raise KeyboardInterrupt
        self._log_time(seconds, time.monotonic() - started, self.step - first)
        return self._finish()

    def _take(self, batches: Iterator[ActivationBatch]) -> None:
        """One optimiser step of every dictionary that has not been stopped."""
        n, share = self.config.accumulate, self.step / self.config.steps
        for part in range(n):
            with timed("wait"):
                batch = self._next(batches)
            with timed("scale"):
                inputs = self._inputs(batch)
            for learner in self._going():
                if part == 0:
                    self._resample_if_due(learner)
                learner.add(inputs[learner.spec.reads], inputs[learner.spec.writes], share, 1 / n)
        for learner in self._going():
            self._record(learner, learner.step(share))
        self.step += 1

    def _next(self, batches: Iterator[ActivationBatch]) -> ActivationBatch:
        try:
            return next(batches)
        except KeyboardInterrupt:
            if not any(learner.added for learner in self.learners):
                self._save_checkpoint()
            raise

    def _going(self) -> list[Learner]:
        return [learner for learner in self.learners if not learner.stopped]

    def _inputs(self, batch: ActivationBatch) -> dict[tuple[str, ...], Tensor]:
        """What the dictionaries read and write, scaled, each laid end to end once for all of them."""
        check_finite(batch)
        device = self.config.device
        scaled = {s: batch.activations[s].to(device, non_blocking=True) * self.factors[s] for s in self.factors}
        return {sites: together(scaled, sites) for spec in self.specs for sites in (spec.reads, spec.writes)}

    def _log_time(self, seconds: dict[str, float], total: float, steps: int) -> None:
        """Where the time went: the stretches by name, and what is in none of them."""
        config = self.config
        spent = {**seconds, "other": max(0.0, total - sum(seconds.values()))}
        rows = steps * config.accumulate * config.batch_size
        self.log(
            {
                "event": "time",
                "rows": rows,
                "rows_per_second": round(rows / total) if total > 0 else 0,
                "kernels": backend_name(torch.device(config.device).type),
                "seconds": {name: round(s, 3) for name, s in sorted(spent.items(), key=lambda pair: -pair[1])},
            }
        )

    def _record(self, learner: Learner, row: dict[str, Any]) -> None:
        last = self.step == self.config.steps - 1
        if learner.stopped:
            self.log({"event": "diverged", "dictionary": learner.spec.name, "step": self.step, "why": learner.stopped})
        if learner.stopped or last or self.step % self.config.log_every == 0:
            self.rows.append({"dictionary": learner.spec.name, "step": self.step, **row})

    def _resample_if_due(self, learner: Learner) -> None:
        settings = learner.spec.config
        if not isinstance(settings, L1Config):
            return
        steps = self.config.steps
        if self.step in {round(share * steps) for share in settings.resample_at} - {0}:
            window = max(1, round(settings.resample_window * steps)) * self.config.batch_size
            n = learner.resample(self._resampling_rows(learner.spec, settings.resample_rows), self.step, window)
            self.log({"event": "resampled", "dictionary": learner.spec.name, "step": self.step, "features": n})

    def _resampling_rows(self, spec: DictionarySpec, n: int) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
        size = min(self.config.batch_size, n)
        count = max(1, min(n, self.source.n_rows) // size)
        seed = derive(self.config.seed, "resample", self.step)

        def rows() -> Iterator[tuple[Tensor, Tensor]]:
            for batch in islice(self.source.batches(size, seed), count):
                scaled = {s: batch.activations[s].to(self.config.device) * self.factors[s] for s in self.factors}
                yield together(scaled, spec.reads), together(scaled, spec.writes)

        return rows

    def _note(self) -> str:
        last = {row["dictionary"]: row["mse"] for row in self.rows[-len(self.learners) :]}
        return "mse " + " ".join(f"{name} {mse:.3f}" for name, mse in last.items())

    def _measured(self) -> Scaling:
        n = min(self.config.scaling_batches, self.source.n_rows // self.config.batch_size)
        batches = self.source.batches(self.config.batch_size, derive(self.config.seed, "batches"))
        return measure(islice(batches, max(1, n)), self.source.widths)

    def _found(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        if not self.checkpoint.exists():
            return {}, {}
        tensors, state = read_checkpoint(self.checkpoint)
        require_same(self.checkpoint, state["identity"], self.identity)
        return state, tensors

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.step, self.rows = state["step"], state["rows"]
        for learner in self.learners:
            mine = f"{learner.spec.name}/"
            own = {name.removeprefix(mine): tensor for name, tensor in tensors.items() if name.startswith(mine)}
            learner.restore(own, state["learners"][learner.spec.name])
        self.log({"event": "resumed", "step": self.step})

    def _save_checkpoint(self) -> None:
        if self.step == 0:
            return
        tensors = {f"{x.spec.name}/{name}": t for x in self.learners for name, t in x.tensors().items()}
        state = {"identity": self.identity, "step": self.step, "rows": self.rows, "scaling": vars(self.scaling)}
        state["learners"] = {learner.spec.name: learner.state() for learner in self.learners}
        write_checkpoint(self.checkpoint, tensors, state)
        self._write_curves()

    def _write_curves(self) -> None:
        write_text(self.curves, "".join(json.dumps(row) + "\n" for row in self.rows))

    def _finish(self) -> Trained:
        self._write_curves()
        dictionaries, diverged = {}, {}
        for learner in self.learners:
            name = learner.spec.name
            made = learner.finished({**self.metadata, "stopped": learner.stopped} if learner.stopped else self.metadata)
            save(made, (self.out / "diverged" if learner.stopped else self.out) / name)
            if learner.stopped:
                diverged[name] = learner.stopped
            else:
                dictionaries[name] = made
        self.checkpoint.unlink(missing_ok=True)
        if not dictionaries:
            reasons = "; ".join(f"{name}: {why}" for name, why in diverged.items())
            raise DivergedError(
                f"every dictionary diverged ({reasons}): lower lr. They are kept in {self.out / 'diverged'}"
            )
        return Trained(dictionaries, diverged)
