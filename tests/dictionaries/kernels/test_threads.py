"""Rows shared among threads: every part once, on torch's own threads or on ours, and no error lost."""

import subprocess
import sys

import pytest
import torch

from monosema.dictionaries.kernels.compiled import threads


@pytest.fixture(params=["torch's threads", "our threads"])
def two_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if request.param == "our threads":
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    elif threads._openmp() is None:
        pytest.skip("torch's OpenMP cannot be reached here")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("rows", [0, 1, 7, 8, 1000])
def test_every_row_is_taken_once(rows: int):
    taken: list[int] = []
    threads.share(lambda into, start, stop: into.extend(range(start, stop)), rows, taken)
    assert sorted(taken) == list(range(rows))


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_part_is_raised():
    def loop(start: int, stop: int) -> None:
        if start <= 500 < stop:
            raise ZeroDivisionError("row 500")

    with pytest.raises(ZeroDivisionError, match="row 500"):
        threads.share(loop, 1000)


def test_two_threads_give_the_bits_of_one():
    code = (
        "import torch; from monosema.dictionaries.kernels import select_topk, squared_error\n"
        "torch.set_num_threads({n}); g = torch.Generator().manual_seed(0)\n"
        "x, W = torch.randn(500, 40, generator=g), torch.randn(300, 40, generator=g).requires_grad_()\n"
        "codes = select_topk(x, W, torch.zeros(300), 9)\n"
        "squared_error(codes, W, torch.zeros(40), x)[0].backward()\n"
        "print(int(codes.values.view(torch.int32).sum()), int(W.grad.view(torch.int32).sum()))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code.replace("{n}", n)], capture_output=True, text=True) for n in "12"
    ]
    assert runs[0].stdout == runs[1].stdout and runs[0].returncode == 0, runs[0].stderr
