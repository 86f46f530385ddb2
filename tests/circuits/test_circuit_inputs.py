"""What a graph cannot be made of, and what is then said."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from monosema.circuits import Bench, TraceConfig, WithSkip, token_of, trace
from monosema.circuits.linear.families import LINEAR
from monosema.core.errors import ConfigError, DataError, MismatchError
from monosema.corpus import Tokenizer
from monosema.models import Edit, wrap
from tests.circuits.linear_models import D, model_of, sited, tokens_of, transcoders_of

QUICK = TraceConfig(control=False)


def refused(transcoders: list, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        trace(model_of("gpt2"), transcoders, tokens_of(), QUICK)


def test_transcoders_must_cover_every_layer_once():
    transcoders = transcoders_of(model_of("gpt2"))
    refused(transcoders[:1] + transcoders[2:], MismatchError, r"do not cover layer 1 of gpt2: none reads mlp_in\.1")
    refused([], MismatchError, "do not cover layer 0")
    refused([*transcoders, transcoders[2]], MismatchError, "2 transcoders read layer 2")
    shifted = [sited(one, (f"mlp_in.{i}",), (f"mlp_out.{min(i + 1, 2)}",)) for i, one in enumerate(transcoders)]
    refused(shifted, MismatchError, r"layer 0 of gpt2: none writes mlp_out\.0")


def test_other_models_transcoders_are_refused():
    transcoders = transcoders_of(model_of("gpt2"))
    claimed = replace(transcoders[1], metadata={"model_fingerprint": "beef"})
    refused([transcoders[0], claimed, transcoders[2]], MismatchError, "trained on model beef, gpt2 is")
    mine = replace(transcoders[1], metadata={"model_fingerprint": model_of("gpt2").fingerprint})
    trace(model_of("gpt2"), [transcoders[0], mine, transcoders[2]], tokens_of(), QUICK)
    wide = replace(transcoders[0], widths_in=(48,))
    refused([wide, *transcoders[1:]], MismatchError, "its width is 48, that of gpt2 24")
    far = sited(transcoders[0], ("mlp_in.7",), ("mlp_out.7",))
    refused([*transcoders, far], MismatchError, "gpt2 has 3 layers, no layer 7")


def test_a_dictionary_that_is_no_transcoder_is_refused():
    transcoders = transcoders_of(model_of("gpt2"))
    inside = sited(transcoders[0], ("mlp_out.0",), ("mlp_out.0",))
    refused([inside, *transcoders[1:]], MismatchError, "from mlp_out.0 to mlp_out.0 is no transcoder of an MLP")
    refused([sited(transcoders[0], ("resid_pre.0",), ("mlp_out.0",))], MismatchError, "is no transcoder")


def test_features_that_read_several_layers_or_write_backwards_are_refused():
    model = model_of("gpt2")
    [flat] = transcoders_of(model, "flat")
    crossed = flat.weights.W_enc.clone()
    crossed[:, :] = crossed[0]
    crossed[:, D:] = 1.0
    refused([replace(flat, weights=replace(flat.weights, W_enc=crossed))], MismatchError, "reads several layers")
    backwards = replace(flat, weights=replace(flat.weights, W_dec=torch.ones_like(flat.weights.W_dec)))
    refused([backwards], MismatchError, r"reads layer \d and writes mlp_out\.0, which comes before")


def test_a_skip_belongs_to_one_layer():
    [first, *rest] = transcoders_of(model_of("gpt2"), "cross")
    refused([WithSkip(first, torch.eye(D)), *rest], MismatchError, "has a skip: only a transcoder")


def test_prompts_and_targets_that_the_model_does_not_take_are_refused():
    model = model_of("gpt2")
    transcoders = transcoders_of(model)

    def traced(tokens: torch.Tensor, *targets: int) -> None:
        trace(model, transcoders, tokens, TraceConfig(control=False, targets=targets))

    with pytest.raises(DataError, match="40 tokens in a row are more than the 32"):
        traced(torch.zeros(40, dtype=torch.int64))
    with pytest.raises(DataError, match="no tokens"):
        traced(torch.zeros(0, dtype=torch.int64))
    with pytest.raises(DataError, match="token 53 is not in gpt2's vocabulary"):
        traced(torch.tensor([3, 53]))
    with pytest.raises(DataError, match="token 53 cannot be a target"):
        traced(tokens_of(), 53)
    with pytest.raises(DataError, match="named twice"):
        traced(tokens_of(), 3, 3)


@pytest.mark.parametrize("site", ["mlp_out.1", "attn_z.0", "resid_post.2", "embed", "attn_q.1", "logits"])
def test_only_edits_of_patterns_can_be_part_of_a_graph(site: str):
    edits = [Edit("attn_pattern.0", torch.clone), Edit(site, torch.clone)]
    for attempt in (trace, Bench):
        with pytest.raises(ConfigError, match=rf"an edit at {site} cannot be .* edit attention patterns"):
            attempt(model_of("gpt2"), transcoders_of(model_of("gpt2")), tokens_of(), edits=edits)


def test_an_edit_that_changes_nothing_changes_no_graph():
    model = model_of("gpt2")
    transcoders = transcoders_of(model)
    plain = trace(model, transcoders, tokens_of())
    same = trace(model, transcoders, tokens_of(), edits=[Edit("blocks.1.attn.hook_pattern", torch.clone)])
    assert torch.equal(plain.edges.weight, same.edges.weight) and plain.findings == same.findings
    assert same.facts == plain.facts | {"edits": "attn_pattern.1"}


def test_a_target_is_one_token():
    import tokenizers
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    raw = tokenizers.Tokenizer(WordLevel({"cat": 0, "dog": 1, "?": 2}, unk_token="?"))
    raw.pre_tokenizer = Whitespace()
    tokenizer = Tokenizer(raw, None, None, None)
    assert token_of(tokenizer, "dog") == 1
    with pytest.raises(DataError, match="'cat dog' is not one token but 2: 'cat' \\+ 'dog'"):
        token_of(tokenizer, "cat dog")
    with pytest.raises(DataError, match="'' is not one token but 0"):
        token_of(tokenizer, "")


BOTH = {"vocab_size": 53, "hidden_size": D, "pad_token_id": 2, "num_hidden_layers": 2}
UNKNOWN = {
    "Bert": ("BertForMaskedLM", BOTH | {"num_attention_heads": 4, "intermediate_size": 40}),
    "Mamba": ("MambaForCausalLM", BOTH | {"state_size": 4}),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_family_without_a_linear_model_is_refused_in_words(kind: str):
    import transformers

    name, settings = UNKNOWN[kind]
    config = getattr(transformers, f"{kind}Config")(**settings)
    model = wrap(getattr(transformers, name)(config).requires_grad_(False).eval(), "other")
    says = rf"other is a {kind.lower()}: .* Families that can be linearised: gemma, gemma2"
    for attempt in (trace, Bench):
        with pytest.raises(ConfigError, match=says):
            attempt(model, transcoders_of(model_of("gpt2")), tokens_of())
    assert kind.lower() not in LINEAR


def test_a_table_that_does_not_fit_the_model_is_found_out(monkeypatch: pytest.MonkeyPatch):
    wrong = replace(LINEAR["gpt_neox"], mlp_norm="input_layernorm")
    monkeypatch.setitem(LINEAR, "gpt_neox", wrong)
    model = model_of("gpt_neox")
    with pytest.raises(MismatchError, match=r"does not come to its own mlp_in\.0 again"):
        trace(model, transcoders_of(model), tokens_of(), QUICK)


@pytest.mark.parametrize(
    "settings",
    [{"probability": 0.0}, {"probability": 1.5}, {"most_targets": 0}, {"edge_floor": -1.0}, {"workspace": 0}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]):
    with pytest.raises(ConfigError):
        TraceConfig(**settings)
    with pytest.raises(ConfigError):
        trace(model_of("gpt2"), transcoders_of(model_of("gpt2")), tokens_of(), QUICK).prune(1.2)
