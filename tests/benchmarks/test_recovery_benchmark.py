"""The benchmark of recovery: what is known is not trained again, penalties are found, the truth scores 1."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.grounds import HELD_OUT, Ground, worlds
from benchmarks.judged import Judged, judged
from benchmarks.processes import Worker, task_of
from benchmarks.recovery import Cell, ahead_table, best_peer, rows_of
from benchmarks.trials import Answer, Book, Lanes, Question, Series, Trials

L1 = Judged("l1", Contender("l1", OURS, "ours", None, {"spec": "l1,penalty={penalty}"}), 3.0)
TOPK = Judged("topk", Contender("topk", OURS, "ours", None, {"spec": "topk,k={k}"}))
THEIRS = Judged("topk", Contender("saelens_topk", "saelens", "saelens", None, {}))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground("independent", worlds(64, 16, 4.0)["independent"], tmp_path_factory.mktemp("ground"), 100)


def no_task(contender: Contender) -> None:
    raise AssertionError(f"{contender.name} was started")


class Pretended(Trials):
    """Trials whose L0 is a known function of the penalty."""

    def __init__(self, book: Book, folder: Path) -> None:
        super().__init__(Lanes(1, no_task), book, folder)
        self.trained: list[tuple[float | None, int]] = []

    def train(self, series: Series, penalty: float | None, seed: int) -> Answer:
        self.trained.append((penalty, seed))
        return {"l0": 100.0 if penalty is None else 300.0 * penalty**-1.3, "mcc": series.lr or 0.002}


@pytest.fixture
def trials(tmp_path: Path) -> Pretended:
    return Pretended(Book(tmp_path / "answers.jsonl"), tmp_path)


def test_a_penalty_is_found_whose_l0_is_near_what_is_asked(trials: Pretended, ground: Ground):
    series = Series(L1, ground, 5, None)
    penalty = trials.penalty(series, 0)
    assert penalty is not None
    assert abs(math.log(300 * penalty**-1.3 / 5)) < 0.1
    assert 2 <= len(trials.trained) <= 5


def test_where_k_sets_l0_no_penalty_is_looked_for(trials: Pretended, ground: Ground):
    assert trials.penalty(Series(TOPK, ground, 5, None), 0) is None
    assert trials.trained == []


def test_what_is_in_the_book_is_not_trained_again(trials: Pretended, ground: Ground, tmp_path: Path):
    series = Series(L1, ground, 5, None)
    first = trials.series(series, [0, 1])
    again = Pretended(Book(tmp_path / "answers.jsonl"), tmp_path)
    assert again.series(series, [0, 1]) == first
    assert again.trained == []
    again.series(Series(L1, ground, 5, 0.01), [0])
    assert again.trained != []


def test_a_training_that_failed_is_asked_again_and_never_counted(ground: Ground, tmp_path: Path):
    class Failing(Pretended):
        def train(self, series: Series, penalty: float | None, seed: int) -> Answer:
            return {"failed": f"{series.judged.name} died of {penalty}, {seed}"}

    assert Failing(Book(tmp_path / "book"), tmp_path).series(Series(TOPK, ground, 5, None), [0, 1]) == []
    later = Pretended(Book(tmp_path / "book"), tmp_path)
    assert len(later.series(Series(TOPK, ground, 5, None), [0, 1])) == 2


def test_the_best_rate_is_the_one_of_largest_mcc_the_library_s_own_among_them(trials: Pretended, ground: Ground):
    series = Series(TOPK, ground, 5, None)
    assert trials.best_rate(series, [0.001, 0.01]) == 0.01
    assert trials.best_rate(series, [0.0005, 0.001]) is None


def test_k_and_penalty_reach_the_settings_as_numbers():
    named = {one.name: one for one in judged(1024)}
    assert named["topk"].at(None, 12, None) == {"spec": "topk,k=12", "lr": None}
    assert named["l1"].at(0.01, 12, 2.5) == {"spec": "l1,penalty=2.5", "lr": 0.01}
    assert named["saelens_jumprelu"].at(None, 12, 0.5)["sae"] == {"l0_coefficient": 0.5}
    assert named["dictionary_learning_jumprelu"].at(None, 12, None)["options"] == {"target_l0": 12}
    assert named["saelens_matryoshka"].contender.settings["sae"]["matryoshka_widths"] == [64, 128, 256, 512, 1024]


def test_the_true_dictionary_recovers_everything_and_its_control_nothing(ground: Ground, tmp_path: Path):
    world = ground.world
    rows = world.rows(HELD_OUT, "recovery", 0)
    kept = {
        "decoder": world.directions * ground.scale,
        "bias": world.mean * ground.scale,
        "indices": rows.features,
        "values": rows.magnitudes,
        "sizes": rows.offsets.diff(),
    }
    save_file({name: tensor.contiguous() for name, tensor in kept.items()}, tmp_path / "kept")
    found = ground.judge(tmp_path / "kept")
    assert found["mcc"][0] == pytest.approx(1)
    assert found["f1"][0] == pytest.approx(1)
    assert found["mcc"][1] is not None
    assert found["mcc"][1] < 0.7


def test_rows_have_unit_variance_and_are_those_that_recover_asks_for(ground: Ground):
    held_out = torch.from_file(str(ground.files.held_out), size=HELD_OUT * 16).view(-1, 16)
    assert float((held_out - held_out.mean(0)).square().mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(held_out, ground.world.rows(HELD_OUT, "recovery", 0).x * ground.scale)


def cell(one: Judged, *scores: float) -> Cell:
    answers: list[dict[str, Any]] = [
        {"mcc": score, "nmse": 0.2, "l0": 5.0, "control": {"mcc": 0.1}, "seconds": 1.0} for score in scores
    ]
    return Cell("independent", 1.0, "default", one, None, answers)


@pytest.mark.parametrize(
    ("own", "verdict"), [((0.8, 0.9), "ahead"), ((0.1, 0.2), "behind"), ((0.2, 0.9), "level"), ((0.5, 0.9), "level")]
)
def test_ahead_is_when_the_worst_seed_is_above_the_peer_s_best(own: tuple[float, ...], verdict: str):
    assert f"| {verdict} |" in ahead_table([cell(TOPK, *own), cell(THEIRS, 0.3, 0.5)])


def test_a_cell_without_a_peer_is_compared_with_nothing():
    alone = cell(L1, 0.5)
    assert best_peer([alone, cell(THEIRS, 0.9)], alone) is None
    assert {row.ratio for row in rows_of([alone])} == {None}


@pytest.mark.slow
def test_a_worker_does_one_task_after_another_and_each_is_as_if_alone(ground: Ground, tmp_path: Path):
    dense = CONTENDERS["dense"]
    numbers = {"n_features": 64, "batch": 20, "steps": 5, "k": 1, "seed": 0, "threads": 1}
    worker = Worker(dense, task_of(dense, Path(), Path(), d_in=16, **numbers), "series")
    task = {"rows": str(ground.files.rows), "held_out": str(ground.files.held_out), "k": 4, "settings": {"lr": 0.01}}
    try:
        worker.ready()
        first, other, again = (
            worker.train(task | {"seed": seed, "keep": str(tmp_path / name)})
            for seed, name in ((1, "first"), (2, "other"), (1, "again"))
        )
    finally:
        worker.close()
    assert first["l0"] == 4.0
    assert first["nmse"] == again["nmse"] != other["nmse"]
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()


def test_questions_that_differ_in_anything_are_different(tmp_path: Path):
    book = Book(tmp_path / "book")
    book.write(Question("topk", "independent", 12, None, None, 0), {"l0": 12.0})
    assert book.known(Question("topk", "independent", 12, 0.001, None, 0)) is None
    assert book.known(Question("topk", "independent", 12, None, None, 0)) == {"l0": 12.0}
