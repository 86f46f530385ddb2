"""Planning: what holds by construction, in models that have learnt nothing."""

import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from monosema.circuits.planning.features import HALF, detection, of_plans
from monosema.circuits.planning.learning import NOTHING, learn, untrained
from monosema.circuits.planning.nouns import exchanged
from monosema.circuits.planning.probing import named
from monosema.circuits.planning.routes import share_by_exchange, share_by_gradients
from monosema.circuits.planning.rows import Rows
from monosema.circuits.planning.settings import LearningConfig
from monosema.circuits.planning.sight import Reader, hiding, scores
from monosema.circuits.planning.transplants import Scene, random_like, scene
from monosema.circuits.planning.writing import being, follows, states_at, written
from monosema.core.errors import MismatchError
from monosema.core.seeding import generator
from monosema.corpus.plans import Articles, ArticlesConfig, Couplets, CoupletsConfig
from monosema.corpus.plans.config import SIGHTS, Sight
from monosema.corpus.plans.couplets import END, N_PLANS, NEWLINE

LANGUAGE = Couplets(CoupletsConfig())
SMALL = LearningConfig(steps=30, batch_size=64, lr=1e-2, n_layers=2, d_model=16, n_heads=2)


def reader(sight: Sight) -> Reader:
    return untrained("small", len(LANGUAGE.words), LANGUAGE.sees(sight), SMALL, 0)


def spread(sight: Sight) -> Reader:
    """One with larger weights, so that its lines depend on what it reads."""
    made = reader(sight)
    for parameter in made.model.module.parameters():
        if parameter.ndim == 2:
            parameter.mul_(8.0)
    return made


def staged(sight: Sight, n: int = 24) -> Scene:
    return scene(spread(sight), LANGUAGE, n, 0)


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_mask_in_use_is_the_mask_in_training(sight: Sight):
    made, tokens = spread(sight), LANGUAGE.draw(8, generator(0, "test")).tokens
    in_use = made.run(tokens, ["logits"])["logits"]
    in_training = made.model.module(input_ids=tokens, attention_mask=scores(made.sees)).logits
    assert (in_use - in_training).abs().max() < 1e-4 * in_training.abs().max()
    if sight != "free":
        blind = made.model.run(tokens, ["logits"])["logits"]
        assert (in_use - blind).abs().max() > 0.01 * blind.abs().max()


def test_gradients_are_the_same_by_both_masks():
    made, tokens = spread("planner"), LANGUAGE.draw(8, generator(0, "test")).tokens
    weight = made.model.module.get_submodule("transformer.wte").get_parameter("weight").requires_grad_(True)
    both = []
    for logits in (
        made.run(tokens, ["logits"])["logits"],
        made.model.module(input_ids=tokens, attention_mask=scores(made.sees)).logits,
    ):
        (gradient,) = torch.autograd.grad(logits.log_softmax(-1)[:, -1, 3].sum(), weight)
        both.append(gradient)
    assert both[0].abs().max() > 0
    assert (both[0] - both[1]).abs().max() < 1e-4 * both[1].abs().max()


def test_hiding_by_hand():
    sees = torch.tensor([[True, False], [False, True]])
    pattern = torch.tensor([[1.0, 0.0], [0.75, 0.25]])[None, None]
    assert torch.equal(hiding(sees)(pattern)[0, 0], torch.eye(2))
    with pytest.raises(MismatchError, match="hidden from it"):
        hiding(sees)(torch.tensor([[1.0, 0.0], [1.0, 0.0]])[None, None])


def test_putting_a_state_in_its_own_place_changes_nothing():
    stage = staged("free")
    assert torch.equal(stage.with_states(stage.own), written(stage.reader, stage.begun))


def test_with_the_donors_newline_a_planner_writes_as_after_the_donors_first_line():
    # All that it knows of a first line is at the newline, so this holds before it has learnt anything.
    stage = staged("planner")
    after = written(stage.reader, stage.donors.tokens[:, : NEWLINE + 1])
    assert torch.equal(stage.with_states(stage.others), after)
    assert not torch.equal(after, written(stage.reader, stage.begun))


def test_at_one_layer_alone_a_donors_newline_does_not_do_that():
    stage = staged("planner")
    after = written(stage.reader, stage.donors.tokens[:, : NEWLINE + 1])
    assert not torch.equal(stage.with_states(stage.others, [1]), after)


def test_without_a_plan_the_donors_newline_is_the_couplets_own():
    stage = staged("no plan")
    assert torch.allclose(stage.own, stage.others, atol=1e-5)
    assert torch.equal(stage.with_states(stage.others), written(stage.reader, stage.begun))


def test_donors_share_no_word_of_the_line_but_the_first():
    stage = staged("free", 200)
    assert not bool((stage.lines(stage.verses.plan) == stage.lines(stage.donors.plan))[:, 1:].any())


@pytest.mark.parametrize(("sight", "share"), [("planner", 1.0), ("no plan", 0.0)])
def test_the_share_through_the_newline_is_what_the_mask_makes_it(sight: Sight, share: float):
    stage = staged(sight)
    by_gradients = share_by_gradients(stage)
    assert by_gradients.tolist() == pytest.approx([share] * len(by_gradients), abs=1e-6)
    assert float(share_by_exchange(stage).median()) == pytest.approx(share, abs=1e-3)


def test_where_all_is_seen_some_passes_the_newline_and_not_all():
    by_gradients = share_by_gradients(staged("free"))
    assert 1e-6 < float(by_gradients.min()) < float(by_gradients.max()) < 0.99


def test_a_line_follows_when_all_but_its_first_word_do():
    line = torch.tensor([[1, 2, 3, 4]])
    assert follows(torch.tensor([[9, 2, 3, 4]]), line).item()
    assert not follows(torch.tensor([[1, 2, 9, 4]]), line).item()


def test_random_directions_are_as_long_and_no_longer_the_same():
    x = torch.randn(3, 5, 64, generator=generator(0, "x"))
    y = random_like(x, generator(0, "y"))
    assert torch.allclose(y.norm(dim=-1), x.norm(dim=-1))
    assert torch.nn.functional.cosine_similarity(x, y, dim=-1).abs().max() < 0.6


def test_the_probe_is_scikit_learns_discriminant():
    draws = generator(0, "probe")
    plans = torch.arange(N_PLANS).repeat(40)
    means = torch.randn(N_PLANS, 12, generator=draws)
    x = (means[plans] + 0.6 * torch.randn(len(plans), 12, generator=draws)).double()
    asked = (means[plans] + 0.6 * torch.randn(len(plans), 12, generator=draws)).double()
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x.numpy(), plans.numpy()).predict(asked.numpy())
    ours = named(x, plans, asked)
    assert float((ours == torch.from_numpy(theirs)).double().mean()) > 0.995
    assert 0.5 < float((ours == plans).double().mean()) < 0.99


def test_a_probe_of_states_that_are_all_alike_names_one_plan():
    plans = torch.arange(N_PLANS).repeat(3)
    assert len(named(torch.ones(len(plans), 4).double(), plans, torch.ones(9, 4).double()).unique()) == 1


def test_features_of_plans_by_hand():
    # Feature 0 fires always; 1 for plans below 24; 2 for plan 0 alone, in half of its couplets; 3 for 0 and 1.
    plans = torch.arange(N_PLANS).repeat_interleave(2)
    fires = torch.zeros(len(plans), 4, dtype=torch.bool)
    fires[:, 0], fires[:, 1], fires[0, 2], fires[:4, 3] = True, plans < 24, True, True
    mine = of_plans(fires, plans)
    assert not bool(mine[:, 0].any()) and not bool(mine[:, 1].any())
    assert mine[0].tolist() == [False, False, True, True] and mine[1].tolist() == [False, False, False, True]
    # Of plan 0 both features fire on one of its two couplets: 2 * 1 / (1 + 2). Plan 1's fires on four: 2 * 2 / (4 + 2).
    f1 = detection(fires, plans)
    assert f1[:3].tolist() == pytest.approx([2 / 3, 2 / 3, 0.0])
    assert HALF == 0.5


def test_rows_of_states_repeat_and_go_on_from_any_batch():
    draws = generator(0, "rows")
    source = Rows({site: torch.randn(10, 3, generator=draws) for site in ("resid_post.0", "resid_post.1")})
    rows = source.batches(4, seed=1)
    first, second = next(rows), next(rows)
    again = next(source.batches(4, seed=1, start=1))
    assert torch.equal(second.activations["resid_post.1"], again.activations["resid_post.1"])
    assert not torch.equal(first.documents, second.documents)


def test_learning_repeats_and_learns():
    def draw(n: int, draws: torch.Generator):
        tokens = LANGUAGE.draw(n, draws).tokens[:, :END]
        targets = torch.full_like(tokens, NOTHING)
        targets[:, NEWLINE] = tokens[:, NEWLINE + 1]
        return tokens, targets

    one, two = (learn("small", len(LANGUAGE.words), draw, LANGUAGE.sees("free"), SMALL, 0) for _ in range(2))
    assert one.model.fingerprint == two.model.fingerprint != reader("free").model.fingerprint
    tokens, targets = draw(64, generator(1, "test"))

    def loss(made: Reader) -> float:
        told = made.run(tokens, ["logits"])["logits"][:, NEWLINE].log_softmax(-1)
        return -float(told.gather(1, targets[:, NEWLINE, None]).mean())

    # It has found the two words that a line may begin with among 106.
    assert loss(reader("free")) > 4 and loss(one) < 1.5


def test_nouns_are_exchanged_for_what_they_should_be():
    language = Articles(ArticlesConfig("planner"))
    sees = torch.ones(6, 6, dtype=torch.bool).tril()
    made = untrained("small", len(language.words), sees, SMALL, 0)
    found = exchanged(made, language, 0)
    # In a model with nothing learnt a noun of the other article does no more than one of the same.
    assert abs(float(found.other.double().mean()) - float(found.same.double().mean())) < 0.15
    state = states_at(made, language.asked_of_pairs(), 3)
    before = made.run(language.asked_of_pairs(), ["logits"])["logits"]
    assert torch.equal(made.run(language.asked_of_pairs(), ["logits"], being(state, 3))["logits"], before)
