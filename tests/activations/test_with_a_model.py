"""Harvest and stream on a transformers model and a packed corpus, as the pipeline uses them."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from safetensors.torch import load_file

from monosema.activations import HarvestConfig, harvest, stream
from monosema.core.errors import ConfigError, MismatchError, SiteError
from monosema.corpus import Document, pack, train_tokenizer
from monosema.models import randomised, wrap

SMALL = HarvestConfig(batch_size=4, dtype="float32", shard_rows=100)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    texts = [f"def f{i}(x):\n    return x + {i * 17}\n" * (1 + i % 5) for i in range(40)]
    documents = [Document(f"d{i}", text) for i, text in enumerate(texts)]
    return pack(documents, train_tokenizer(documents, 280), 12, tmp_path_factory.mktemp("run") / "corpus")


@pytest.fixture(scope="module")
def gpt2(packed):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=packed.train.d_vocab, n_positions=12, n_embd=16, n_layer=2, n_head=2)
    return wrap(GPT2LMHeadModel(config).requires_grad_(False).eval(), "tiny")


@pytest.mark.parametrize("fast", [False, True])
def test_the_store_holds_what_the_model_gives(tmp_path, packed, gpt2, fast: bool):
    names = {"blocks.1.hook_resid_post": "resid_post.1", "attn_z.0": "attn_z.0"}
    store = harvest(gpt2, packed.train, list(names), tmp_path, replace(SMALL, fast=fast))
    assert store.widths == {"resid_post.1": 16, "attn_z.0": 16}
    assert (store.model_fingerprint, store.corpus_fingerprint) == (gpt2.fingerprint, packed.train.fingerprint)
    files = [load_file(tmp_path / shard.file) for shard in store.manifest.shards]
    assert len(files) > 3
    passes = [packed.train.blocks(i, min(i + 4, len(packed.train))) for i in range(0, len(packed.train), 4)]
    for site in names.values():
        want = [gpt2.run(blocks.tokens, read=[site])[site].flatten(2)[blocks.usable] for blocks in passes]
        allowed = {"rtol": 1e-5, "atol": 1e-6} if fast else {"rtol": 0, "atol": 0}
        torch.testing.assert_close(torch.cat([file[site] for file in files]), torch.cat(want), **allowed)


def test_store_and_stream_hold_the_same_rows(tmp_path, packed, gpt2):
    def rows(source):
        batches = list(islice(source.batches(1, 0), source.n_rows))
        places = [(int(b.documents), int(b.positions), int(b.tokens)) for b in batches]
        order = sorted(
            range(len(batches)), key=lambda i: (*places[i], *batches[i].activations["mlp_out.1"][0].tolist())
        )
        return sorted(places), torch.cat([batches[i].activations["mlp_out.1"] for i in order])

    places, x = rows(harvest(gpt2, packed.train, ["mlp_out.1"], tmp_path, SMALL))
    stream_places, stream_x = rows(stream(gpt2, packed.train, ["mlp_out.1"], SMALL))
    assert stream_places == places
    assert torch.allclose(stream_x, x, atol=1e-6)


def test_the_control_model_may_not_continue_the_models_store(tmp_path, packed, gpt2):
    harvest(gpt2, packed.train, ["resid_post.0"], tmp_path, SMALL)
    with pytest.raises(MismatchError, match="harvested from model"):
        harvest(randomised(gpt2), packed.train, ["resid_post.0"], tmp_path, SMALL)


def test_a_site_that_is_not_there_is_refused_with_the_list(tmp_path, packed, gpt2):
    with pytest.raises(SiteError, match="resid_post"):
        harvest(gpt2, packed.train, ["resid_post.6"], tmp_path / "store", SMALL)
    with pytest.raises(SiteError, match="no row per token"):
        harvest(gpt2, packed.train, ["attn_pattern.0"], tmp_path / "store", SMALL)
    assert not (tmp_path / "store").exists()


def test_a_corpus_of_longer_blocks_than_the_model_takes_is_refused(tmp_path, packed):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=packed.train.d_vocab, n_positions=8, n_embd=16, n_layer=1, n_head=2)
    short = wrap(GPT2LMHeadModel(config).requires_grad_(False).eval(), "short")
    with pytest.raises(ConfigError, match="blocks of 12"):
        harvest(short, packed.train, ["resid_post.0"], tmp_path, SMALL)
