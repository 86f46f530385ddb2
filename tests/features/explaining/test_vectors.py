"""TF-IDF against scikit-learn."""

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from monosema.features.explaining.vectors import Vectors, term
from monosema.features.explaining.windows import Windows

from .texts import WORDS, text

TEXT = text(12)
WINDOWS = Windows.of(TEXT, 0)
VECTORS = Vectors(WINDOWS, WORDS)


def words_of(window: int) -> str:
    places, _ = WINDOWS.places(torch.tensor([window]))
    return "".join(WORDS[t] for t in WINDOWS.tokens(places).tolist())


def test_rows_are_scikit_learns():
    theirs = TfidfVectorizer(sublinear_tf=True, smooth_idf=True, token_pattern=r"\S+")
    theirs.fit([words_of(w) for w in range(len(WINDOWS)) if not WINDOWS.judging[w]])
    names = theirs.get_feature_names_out().tolist()
    expected = theirs.transform([words_of(w) for w in range(len(WINDOWS))]).toarray()
    ours = VECTORS.rows.toarray()[:, [VECTORS.number[name] for name in names]]
    assert np.allclose(ours, expected)


def test_a_text_is_read_by_words_and_an_unknown_one_is_nothing():
    one = VECTORS.of_text("Fires on W3, and on w5!")
    assert one.nonzero().flatten().tolist() == sorted(VECTORS.number[name] for name in ("w3", "w5"))
    assert float(one.norm()) == 1.0 and torch.equal(one, VECTORS.of_terms(["w3", "w5"]))
    assert float(VECTORS.of_text("nothing of that kind").norm()) == 0.0


def test_terms_drop_the_space_around_a_word_and_keep_space_alone():
    assert [term(text) for text in (" Self", "self", "\n    ", "")] == ["self", "self", "\n    ", ""]


def test_the_odd_one_is_least_like_the_others():
    # Rows 0 and 1 with themselves, and a stranger: by hand from the product of the rows.
    rows = VECTORS.rows.toarray()
    alike = rows @ rows.T
    windows = torch.tensor([4, 0, 4, 4, 4])
    assert alike[0, 4] < 1 and VECTORS.odd_one(windows) == 1
