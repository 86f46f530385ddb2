"""Whether logits name what comes next: by hand, at chance, and with the frequency of tokens taken off."""

import torch

from monosema.core.seeding import generator
from monosema.features.foretelling import Foretelling
from monosema.features.reading import Part

# Four tokens. Feature 0 raises token 3 most, feature 1 raises token 0 most.
EFFECTS = torch.tensor([[0.0, 1.0, 2.0, 3.0], [3.0, 2.0, 1.0, 0.0]])


def test_by_hand():
    # Next tokens 3, 3, 0, 1; feature 0 fires before the 3s, feature 1 before a 3 and the 1.
    fires = torch.tensor([[True, True], [True, False], [False, False], [False, True]])
    found = Foretelling(EFFECTS)
    found.add(torch.tensor([3, 3, 0, 1]), fires)
    # Feature 0: ranks of the next token are .75 .75 0 .25, of mean .4375; .75 where it fires.
    # Feature 1: 0 0 .75 .5, of mean .3125; (0 + .5) / 2 where it fires.
    assert found.result() == [0.75 - 0.4375, 0.25 - 0.3125]


def test_batches_do_not_matter_and_silence_is_none():
    fires = torch.tensor([[True, False], [False, False], [True, False]])
    whole, parts = Foretelling(EFFECTS), Foretelling(EFFECTS)
    whole.add(torch.tensor([3, 0, 2]), fires)
    for i, token in enumerate([3, 0, 2]):
        parts.add(torch.tensor([token]), fires[i : i + 1])
    assert whole.result() == parts.result()
    assert whole.result()[1] is None


def test_liking_frequent_tokens_is_not_foretelling():
    # Token 3 is nine in ten everywhere. A feature that raises it but fires at random foretells nothing;
    # one that fires before the rare token and raises that does.
    random = generator(0, "frequent")
    following = torch.where(torch.rand(20_000, generator=random) < 0.9, 3, 0)
    fires = torch.stack([torch.rand(20_000, generator=random) < 0.3, following == 0], 1)
    found = Foretelling(EFFECTS)
    found.add(following, fires)
    at_random, knowing = found.result()
    assert at_random is not None and abs(at_random) < 0.02
    assert knowing is not None and knowing > 0.6


def test_only_a_usable_token_of_the_same_document_follows():
    # Block: BOS 1 2 | 3 3, the bar a change of document. Followed: 1 (by 2) and the first 3 (by 3);
    # not 2, whose next is another document's, nor the last. The feature fires everywhere.
    tokens = torch.tensor([[0, 1, 2, 3, 3]])
    usable = torch.tensor([[False, True, True, True, True]])
    part = Part(torch.tensor([0]), tokens, torch.tensor([[0, 0, 0, 1, 1]]), usable, {})
    found, expected = Foretelling(EFFECTS), Foretelling(EFFECTS)
    found.update(part, torch.tensor([[True, True], [True, True], [True, False], [True, False]]))
    expected.add(torch.tensor([2, 3]), torch.tensor([[True, True], [True, False]]))
    assert found.result() == expected.result()
    assert found.n.tolist() == [2, 1]
