"""A language with something of everything, small enough to be counted through."""

from monosema.corpus.languages.config import (
    LanguageConfig,
    NestingConfig,
    PhraseConfig,
    SenseConfig,
    TopicConfig,
    WordConfig,
)

SMALL = LanguageConfig(
    words=WordConfig(nouns=12, verbs=6, adjectives=5),
    topics=TopicConfig(n=3, boost=6.0, switch=0.3),
    nesting=NestingConfig(kinds=2, open=0.3, max_depth=2),
    senses=SenseConfig(n=3, share=0.8),
    phrases=PhraseConfig(n=2, share=0.3, fidelity=0.9),
    sentences=4,
    n_documents=60,
)
