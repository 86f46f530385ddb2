from pathlib import Path

import pytest
import torch

from monosema.core.fingerprints import DIGITS, of_bytes, of_file, of_tensors

W = torch.arange(6.0).reshape(2, 3)


def test_a_file_is_the_sha256_of_its_bytes(tmp_path: Path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert of_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"[:DIGITS]


def test_where_the_parts_are_cut_matters():
    assert len({of_bytes(parts) for parts in ([b"ab"], [b"a", b"b"], [b"", b"ab"], [b"ab", b""], [])}) == 5


def test_the_order_of_names_and_the_strides_do_not_matter():
    assert of_tensors({"a": W, "b": W}) == of_tensors({"b": W.T.contiguous().T, "a": W.clone()})


def test_a_parameter_is_its_values():
    assert of_tensors({"a": torch.nn.Parameter(W)}) == of_tensors({"a": W})


@pytest.mark.parametrize(
    "other",
    [
        {"b": W},
        {"a": W.T},
        {"a": W.reshape(3, 2)},
        {"a": W.double()},
        {"a": W.view(torch.int32)},
        {"a": W, "b": W},
        {},
        {"a": -W * torch.tensor([-1.0, 1.0, 1.0])},
    ],
    ids=["name", "transpose", "shape", "type", "type of the same bits", "more", "none", "values"],
)
def test_everything_else_matters(other: dict[str, torch.Tensor]):
    assert of_tensors(other) != of_tensors({"a": W})


def test_a_zero_is_told_from_a_negative_zero():
    assert of_tensors({"a": torch.tensor([0.0])}) != of_tensors({"a": torch.tensor([-0.0])})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.int64])
def test_every_type_of_number_has_one(dtype: torch.dtype):
    ones, zeros = torch.ones(3, dtype=dtype), torch.zeros(3, dtype=dtype)
    assert of_tensors({"a": ones}) != of_tensors({"a": zeros})
    assert of_tensors({"a": ones[0]}) != of_tensors({"a": ones[:1]})
