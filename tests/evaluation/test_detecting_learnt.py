"""What a small model learnt of a language is found in its dictionary, and not in that of the randomised model."""

from pathlib import Path

import pytest

from monosema import activations, corpus, dictionaries, evaluation, models
from monosema.corpus.languages.config import NestingConfig, PhraseConfig, SenseConfig, TopicConfig, WordConfig

CONFIG = corpus.LanguageConfig(
    words=WordConfig(nouns=8, verbs=4, adjectives=3),
    nesting=NestingConfig(kinds=2, open=0.3, max_depth=1),
    topics=TopicConfig(n=1),
    senses=SenseConfig(n=3),
    phrases=PhraseConfig(n=2),
    sentences=4,
    n_documents=500,
)
SITE = "resid_post.0"


@pytest.mark.slow
def test_what_was_learnt_is_found_and_what_was_in_the_tokens_is_in_both(tmp_path: Path):
    language = corpus.Language(CONFIG)
    packed = corpus.pack(language.documents(), language.tokenizer, 64, tmp_path / "corpus", held_out=0.2)
    config = models.LMConfig(n_layers=2, d_model=32, steps=150, batch_size=16, lr=8e-3, eval_every=150)
    model = models.train_small(packed.train, packed.held_out, config, tmp_path / "lm")
    blind = models.randomised(model)
    spec = dictionaries.parse_spec("topk,k=6,n_features=96", reads=(SITE,), writes=(SITE,))
    training = dictionaries.TrainConfig(rows=50_000, batch_size=512)
    trained = {}
    for name, subject in {"model": model, "control": blind}.items():
        stream = activations.stream(subject, packed.train, [SITE])
        trained[name] = dictionaries.train(stream, [spec], training, tmp_path / name).dictionaries
    control = evaluation.Control(trained["control"], blind, "the same recipe on the model with weights redrawn")
    found = evaluation.detect(trained["model"], model, packed.held_out, language, control)["topk"]
    means = evaluation.mean_f1(found)
    agreement = [each for each in found if each.kind == "agreement"]
    assert len(agreement) == 2
    for each in agreement:
        assert each.f1.control is not None
        assert each.f1.low > max(each.f1.control, each.shuffled), "the awaited verb was learnt"
    assert means["agreement"].control is not None
    assert means["agreement"].value > means["agreement"].control + 0.1
    assert means["word"].control is not None and means["word"].control > 0.8, "a word is in its own token"
    chance = max(each.shuffled for each in found if each.kind == "word")
    assert means["word"].value > 0.5 > chance
