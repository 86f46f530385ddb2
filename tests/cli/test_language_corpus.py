"""A language as a corpus of the command line."""

from pathlib import Path

import pytest

from monosema.cli import main
from monosema.corpus import Language, open_packed, parse_language

SPEC = "language,words.nouns=9,n_documents=40,sentences=3"


@pytest.mark.slow
def test_a_model_is_trained_on_a_language_with_one_token_a_word(tmp_path: Path):
    run = tmp_path / "run"
    lm = ["--n-layers", "1", "--d-model", "16", "--n-heads", "2", "--steps", "4", "--batch-size", "4"]
    assert main(["lm", "train", str(run), "--corpus", SPEC, "--context", "24", *lm]) == 0
    language, packed = Language(parse_language(SPEC)), open_packed(run / "corpus")
    assert packed.tokenizer().fingerprint == language.tokenizer.fingerprint
    assert packed.train.d_vocab == len(language.vocabulary)
    assert packed.train.n_documents + packed.held_out.n_documents == 40
    truth = language.truth_of(packed.held_out, 0, packed.held_out.n_blocks)
    assert int(truth.features.any(2).sum()) > 50


def test_a_setting_that_is_none_is_the_users_mistake(tmp_path: Path, refused):
    said = refused("lm", "train", str(tmp_path / "run"), "--corpus", "language,topic.n=2")
    assert "unknown setting 'topic.n'. Did you mean 'topics.n'?" in said
