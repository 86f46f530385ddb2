"""The matrices of heads against the model's own q, k, v, z and attn_out; composition of matrices known by hand."""

import math

import pytest
import torch
from torch import Tensor

from monosema.circuits.heads.composition import baseline, composition, composition_score
from monosema.circuits.heads.lowrank import LowRank
from monosema.circuits.heads.tokens import ov, qk, token_circuits, unembedding
from monosema.circuits.heads.weights import NORMALISED, HeadWeights, head_weights
from monosema.core.errors import ConfigError, DataError, MismatchError, SiteError
from monosema.models import Model, wrap
from tests.circuits.linear_models import FAMILIES, LAYERS, exact, model_of, module_of, tokens_of

EXACT = 1e-11


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= EXACT * max(1.0, float(b.abs().max())))


def block_of(model: Model, layer: int) -> torch.nn.Module:
    return model.module.get_submodule(f"{model.family.layers}.{layer}")


def headwise(model: Model, layer: int, part: str, x: Tensor) -> Tensor:
    """The norm of each head's q or k, where the family has one."""
    kind = model.module.config.model_type
    if kind not in NORMALISED:
        return x
    return block_of(model, layer).get_submodule(NORMALISED[kind]["qk".index(part)])(x)


def read_by(model: Model, layer: int) -> Tensor:
    from monosema.circuits.linear.families import LINEAR

    x = model.run(tokens_of()[None], [f"resid_pre.{layer}"])[f"resid_pre.{layer}"][0]
    return block_of(model, layer).get_submodule(LINEAR[model.module.config.model_type].attn_norm)(x)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_matrices_give_what_the_model_computes(name: str):
    model = model_of(name)
    for layer in range(LAYERS):
        heads, x = head_weights(model, layer), read_by(model, layer)
        sites = [f"attn_{part}.{layer}" for part in ("q", "k", "v", "pattern", "z")]
        seen = {site.partition(".")[0][5:]: value[0] for site, value in model.run(tokens_of()[None], sites).items()}
        read = {part: torch.einsum("td,hde->the", x, W) + b for part, W, b in parts_of(heads)}
        # Rotary embedding does nothing at position 0, and keeps every length (to the float32 of its cosines).
        for part in "qk":
            mine, own = headwise(model, layer, part, read[part]), repeated(seen[part], heads)
            assert close(mine[0], own[0])
            assert (mine.norm(dim=-1) - own.norm(dim=-1)).abs().max() < 1e-6
            assert close(mine, own) != heads.rotary
        assert close(read["v"], repeated(seen["v"], heads))
        assert close(torch.einsum("hqk,khe->qhe", seen["pattern"], read["v"]), seen["z"])
        attended: list[Tensor] = []
        module = block_of(model, layer).get_submodule(model.family.attn)
        hook = module.register_forward_hook(lambda _, __, out, kept=attended: kept.append(as_tensor(out)[0]))
        model.run(tokens_of()[None], ["logits"])
        hook.remove()
        assert close(torch.einsum("the,hed->td", seen["z"], heads.W_O) + heads.o_bias, attended[0])


def as_tensor(out: Tensor | tuple[Tensor, ...]) -> Tensor:
    return out if isinstance(out, Tensor) else out[0]


def parts_of(heads: HeadWeights) -> list[tuple[str, Tensor, Tensor]]:
    return [("q", heads.W_Q, heads.q_bias), ("k", heads.W_K, heads.k_bias), ("v", heads.W_V, heads.v_bias)]


def repeated(x: Tensor, heads: HeadWeights) -> Tensor:
    return x.repeat_interleave(heads.n_heads // x.shape[1], 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_folded_matrices_read_the_stream_over_its_deviation(name: str):
    model = model_of(name)
    x = model.run(tokens_of()[None], ["resid_pre.1"])["resid_pre.1"][0]
    heads, read = head_weights(model, 1, folded=True), read_by(model, 1)
    plain = head_weights(model, 1)
    centred = x - x.mean(-1, keepdim=True) if name in ("gpt2", "gpt_neox", "gpt_neox serial", "small layer") else x
    scale = 1.0 if name == "small no norm" else centred.square().mean(-1, keepdim=True).sqrt()
    for (part, W, b), (_, own, b_own) in zip(parts_of(heads), parts_of(plain), strict=True):
        mine = torch.einsum("td,hde->the", x / scale, W) + b
        truth = torch.einsum("td,hde->the", read, own) + b_own
        if part in "qk" and model.module.config.model_type in NORMALISED:  # its gain is in W, its denominator is not
            norm = headwise(model, 1, part, truth)
            mine, truth = mine / mine.norm(dim=-1, keepdim=True), norm / norm.norm(dim=-1, keepdim=True)
        assert (mine - truth).abs().max() < 1e-3 * truth.abs().max()  # the norm's epsilon is not in the scale
    same = all(torch.equal(a, b) for (_, a, _), (_, b, _) in zip(parts_of(heads), parts_of(plain), strict=True))
    assert same == (name == "small no norm")


def test_a_family_a_layer_and_a_head_that_are_not_there_are_refused_in_a_sentence():
    import transformers

    settings = {"vocab_size": 53, "hidden_size": 24, "state_size": 5, "num_hidden_layers": 2}
    mamba = transformers.AutoModelForCausalLM.from_config(transformers.MambaConfig(**settings)).eval()
    with pytest.raises(ConfigError, match=r"is a mamba, and where that family keeps the matrices of its heads"):
        head_weights(wrap(mamba, "m"), 0)
    model = model_of("gpt2")
    with pytest.raises(SiteError, match=r"there is no layer 3: gpt2 has 3, 0 to 2"):
        head_weights(model, 3)
    with pytest.raises(SiteError, match=r"there is no head 1\.5: gpt2 has heads 0 to 2 in a layer"):
        ov(model, 1, 5)


def test_qk_and_ov_are_what_scores_and_outputs_are_made_of():
    # Without a norm the folded view is the model's own: a score is x W x^T, an output x W weighted by the pattern.
    model = wrap(exact(module_of("small no norm")), "small")
    for parameter in (p for name, p in model.module.named_parameters() if name.endswith("bias")):
        parameter.zero_()
    seen = model.run(tokens_of()[None], ["resid_pre.1", "attn_pattern.1", "attn_out.1"])
    x, pattern = seen["resid_pre.1"][0], seen["attn_pattern.1"][0]
    for head in range(3):
        scores = x @ qk(model, 1, head).dense() @ x.T
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
        assert close(scores.softmax(-1), pattern[head])
    assert close(sum(pattern[head] @ x @ ov(model, 1, head).dense() for head in range(3)), seen["attn_out.1"][0])


def test_the_circuits_of_tokens_are_those_of_one_token_alone():
    # The first position attends to itself: head by head, its output is the OV row of its token, but for biases.
    model = model_of("llama")
    for parameter in (p for name, p in model.module.named_parameters() if name.endswith("bias")):
        parameter.zero_()
    token = 7
    seen = model.run(torch.tensor([[token]]), ["attn_q.0", "attn_k.0", "attn_out.0"])
    circuits = token_circuits(model, 0)
    q, k = seen["attn_q.0"][0, 0], seen["attn_k.0"][0, 0].repeat_interleave(2, 0)
    scale = head_weights(model, 0).scale
    for head, (looks, _) in enumerate(circuits):
        assert abs(float(looks.dense()[token, token]) - scale * float(q[head] @ k[head])) < EXACT
    logits = sum(writes.dense()[token] for _, writes in circuits)
    assert close(logits, seen["attn_out.0"][0, 0] @ unembedding(model, torch.float64))


def test_a_matrix_of_two_factors_answers_as_the_whole_one():
    draws = torch.Generator().manual_seed(0)
    left, right = (torch.randn(shape, generator=draws, dtype=torch.float64) for shape in ((9, 3), (3, 9)))
    factored, whole = LowRank(left, right), left @ right
    assert factored.norm() == pytest.approx(float(whole.norm()), rel=1e-12)
    assert close(factored.singular_values(), torch.linalg.svdvals(whole)[:3])
    large = torch.linalg.eigvals(whole)
    large = large[large.abs().argsort(descending=True)[:3]]
    ours = factored.eigenvalues()
    assert close(torch.sort(ours.real).values, torch.sort(large.real).values)
    assert torch.equal(
        torch.cat([rows for _, rows in factored.rows(4)]), torch.cat([left[i : i + 4] @ right for i in (0, 4, 8)])
    )
    places, values = factored.strongest(5, step=4)
    assert close(values, whole.flatten().topk(5).values)
    assert close(whole[places[:, 0], places[:, 1]], values)
    with pytest.raises(DataError, match="9 x 2 has no eigenvalues"):
        LowRank(left, right[:, :2]).eigenvalues()


def test_copying_is_one_for_the_identity_and_minus_one_for_its_opposite():
    eye = torch.eye(4, dtype=torch.float64)
    assert LowRank(eye, eye).positive_share() == 1.0
    assert LowRank(eye, -eye).positive_share() == -1.0
    turned = LowRank(eye, torch.tensor([[0, 1.0], [-1, 0]], dtype=torch.float64).repeat(2, 2)[:, :4])
    assert abs(turned.positive_share()) < 1e-9
    assert LowRank(eye, 0 * eye).positive_share() == 0.0


def test_composition_scores_known_by_hand():
    # On d = 6, rank 2: the writer writes e0, e1.
    eye = torch.eye(6, dtype=torch.float64)
    writes = LowRank(eye[:, 2:4], eye[:2])
    reads_all, reads_other = LowRank(eye[:, :2], eye[4:]), LowRank(eye[:, 2:4], eye[4:])
    reads_half = LowRank(eye[:, 1:3], eye[4:])
    # |AB| = sqrt 2, |A| = |B| = sqrt 2: a rank-r match of unit directions scores 1 / sqrt r.
    assert composition_score(writes, reads_all) == pytest.approx(1 / math.sqrt(2), rel=1e-12)
    assert composition_score(writes, reads_other) == 0.0
    # One of two directions: |AB| = 1.
    assert composition_score(writes, reads_half) == pytest.approx(0.5, rel=1e-12)
    # The identity of d: sqrt d / d.
    assert composition_score(LowRank(eye, eye), LowRank(eye, eye)) == pytest.approx(6**-0.5, rel=1e-12)
    assert composition_score(LowRank(eye, 0 * eye), LowRank(eye, eye)) == 0.0
    # Rank one along the same direction: 1, whatever the sizes.
    one = LowRank(3 * eye[:, :1], 0.2 * eye[:1])
    assert composition_score(one, one) == pytest.approx(1.0, rel=1e-12)
    with pytest.raises(MismatchError, match="widths must agree"):
        composition_score(LowRank(eye, eye[:, :5]), LowRank(eye, eye))


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3", "small no norm"])
def test_composition_on_factors_is_that_of_the_whole_matrices(name: str):
    model = model_of(name)
    found = composition(model, n_random=20)
    heads = [head_weights(model, layer, folded=True) for layer in range(LAYERS)]
    for earlier, a, later, b in ((0, 0, 1, 1), (0, 2, 2, 0), (1, 1, 2, 2)):
        A = heads[earlier].W_V[a] @ heads[earlier].W_O[a]
        W = heads[later]
        whole = {"Q": W.W_Q[b] @ W.W_K[b].T, "K": W.W_K[b] @ W.W_Q[b].T, "V": W.W_V[b] @ W.W_O[b]}
        for kind, B in whole.items():
            truth = float((A @ B).norm() / (A.norm() * B.norm()))
            assert float(found.scores[kind][earlier, a, later, b]) == pytest.approx(truth, rel=1e-9)
    assert bool(found.scores["Q"][1, :, 1].isnan().all())
    assert found.strongest("K", 4)[0][4] == float(found.scores["K"].nan_to_num(-1).max())


def test_random_matrices_score_about_one_over_the_root_of_the_width():
    found = baseline(64, 8, n=100)
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(1 / 8, rel=0.03)
    assert baseline(64, 8, n=100) == found
