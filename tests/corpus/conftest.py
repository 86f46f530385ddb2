import pytest

from monosema.corpus import packed


@pytest.fixture
def all_train_but_last(monkeypatch):
    """The document called "held" is held out and nothing else."""
    monkeypatch.setattr(packed, "_place", lambda name, _: 0.0 if name == "held" else 0.5)
