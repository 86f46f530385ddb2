"""Languages with plans: tables that give nothing away, documents that keep to them, and what may see what."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.seeding import generator
from monosema.corpus.plans import Articles, ArticlesConfig, Couplets, CoupletsConfig
from monosema.corpus.plans.articles import AN, COLON, IND, NOTHING, THE, A
from monosema.corpus.plans.couplets import END, NEWLINE, OTHER_TOPIC, RHYME, TOPIC
from monosema.corpus.plans.tables import balanced, dealt

COUPLETS = Couplets(CoupletsConfig())


def draws() -> torch.Generator:
    return generator(0, "test")


def test_a_balanced_table_has_equal_sums_and_is_no_checkerboard():
    table = balanced(8, 6, draws())
    assert table.sum(0).tolist() == [4] * 6 and table.sum(1).tolist() == [3] * 8
    checkerboard = (torch.arange(8)[:, None] + torch.arange(6)) % 2
    assert 8 < int((table != checkerboard).sum()) < 40


def test_dealt_values_come_equally_often():
    assert dealt(48, 4, draws()).bincount().tolist() == [12] * 4


def test_a_couplet_keeps_to_its_plan():
    verses, words = COUPLETS.draw(500, draws()), COUPLETS.words
    topics = dict(zip(["sea", "wood", "castle", "town", "fire", "harvest"], "swktfh", strict=True))
    for tokens, plan in zip(verses.tokens, verses.plan.tolist(), strict=True):
        said = [words[token] for token in tokens.tolist()]
        rime = next(
            rime
            for rime in ("ight", "ain", "ound", "ock", "ell", "air", "ump", "eek")
            if said[RHYME][1:].endswith(rime)
        )
        assert said[0] == "BOS" and said[NEWLINE] == "NL"
        assert said[END] == topics[said[TOPIC]] + rime
        assert tokens[NEWLINE + 1 :].tolist() == COUPLETS.lines[plan].tolist()


def test_neither_topic_nor_rhyme_alone_says_anything_of_the_first_word():
    first = (COUPLETS.lines[:, 0] - COUPLETS.lines[:, 0].min()).view(8, 6)
    assert first.sum(1).tolist() == [3] * 8 and first.sum(0).tolist() == [4] * 6


def test_the_second_line_is_no_plan_by_itself():
    # 48 plans and 2 x 4 x 4 lines: whoever has forgotten the plan cannot tell the end word from the line.
    assert len({tuple(line) for line in COUPLETS.lines[:, :3].tolist()}) <= 32 < len(COUPLETS.lines)


def test_two_candidates_are_two_topics_in_the_given_shares():
    language = Couplets(CoupletsConfig(candidates=2, share=0.7))
    verses = language.draw(4000, draws())
    assert not bool((verses.first == verses.second).any())
    assert bool((verses.first // 6 == verses.second // 6).all())
    assert bool(((verses.plan == verses.first) | (verses.plan == verses.second)).all())
    # The standard deviation of the share is .007.
    assert abs(float((verses.plan == verses.first).double().mean()) - 0.7) < 0.03
    named = [language.words[token] for token in verses.tokens[0, [TOPIC, OTHER_TOPIC]].tolist()]
    assert len(set(named)) == 2


def reach(sees: torch.Tensor, layers: int = 4) -> torch.Tensor:
    """Whether anything of token j can be at token i after so many layers, along any route."""
    return torch.linalg.matrix_power(sees.double(), layers) > 0


@pytest.mark.parametrize(
    ("sight", "sees_first", "newline_sees"), [("planner", False, True), ("no plan", True, False), ("free", True, True)]
)
def test_who_sees_the_first_line(sight, sees_first: bool, newline_sees: bool):
    sees = COUPLETS.sees(sight)
    assert bool(sees.diagonal().all()) and not bool(sees.triu(1).any())
    assert bool(sees[NEWLINE + 1 :, :NEWLINE].any()) is sees_first
    assert bool(sees[NEWLINE, :NEWLINE].any()) is newline_sees


def test_all_that_a_planner_knows_passes_the_newline():
    without = COUPLETS.sees("planner").clone()
    assert bool(reach(without)[END - 1, TOPIC])
    without[NEWLINE + 1 :, NEWLINE] = False
    assert not bool(reach(without)[NEWLINE + 1 :, :NEWLINE].any())


def test_without_a_plan_nothing_of_the_first_line_is_at_the_newline():
    assert not bool(reach(COUPLETS.sees("no plan"))[NEWLINE, :NEWLINE].any())


def test_the_least_losses_by_hand():
    verses = COUPLETS.draw(50, draws())
    assert COUPLETS.foretold(verses, "free").abs().max() == 0
    blind = COUPLETS.foretold(verses, "no plan")
    assert torch.allclose(blind[:, 0], torch.tensor(math.log(2))) and blind[:, 1:].abs().max() == 0


def test_the_least_loss_of_two_candidates_is_the_entropy_of_the_choice():
    language = Couplets(CoupletsConfig(candidates=2, share=0.7))
    verses = language.draw(20_000, draws())
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    # Deviation of one: .388, so .003 of the mean.
    assert float(language.foretold(verses, "free").sum(1).mean()) == pytest.approx(entropy, abs=0.012)


def test_couplets_read_as_words():
    assert COUPLETS.text(COUPLETS.draw(1, draws()).tokens[0]).count(" / ") == 1
    assert len(set(COUPLETS.words)) == len(COUPLETS.words) == 106


@pytest.mark.parametrize("templates", ["memoriser", "planner", "unplanned"])
def test_half_of_the_nouns_of_every_row_and_column_take_an(templates):
    language = Articles(ArticlesConfig(templates))
    table = language.takes_an.view(10, 10)
    assert table.sum(0).tolist() == table.sum(1).tolist() == [5] * 10
    words = [language.words[token] for token in language.nouns.tolist()]
    assert len(set(language.words)) == len(language.words)
    assert [word[0] in "aeiou" for word in words] == language.takes_an.tolist()


@pytest.mark.parametrize("templates", ["memoriser", "planner"])
def test_held_out_pairs_never_come_with_an_article(templates):
    language = Articles(ArticlesConfig(templates))
    documents = language.draw(4000, draws())
    assert int(language.held_out.sum()) == 25
    held = {tuple(start) for start in language.asked_of_pairs()[language.held_out][:, :3].tolist()}
    mine = torch.tensor([tuple(row[:3]) in held for row in documents.tokens.tolist()])
    articles = (documents.tokens[:, 4] == A) | (documents.tokens[:, 4] == AN)
    assert bool(mine.any()) and not bool((mine & articles).any())
    assert bool((articles & ~mine).any())


def test_every_article_is_its_nouns():
    for templates in ("memoriser", "planner", "unplanned"):
        language = Articles(ArticlesConfig(templates))
        tokens = language.draw(2000, draws()).tokens
        said = tokens[(tokens[:, 4] == A) | (tokens[:, 4] == AN)]
        noun = said[:, 5] - language.nouns[0]
        assert torch.equal(said[:, 4], language.articles[noun])


def test_the_colon_of_a_planner_may_emit_the_bare_noun_and_ind_may_not():
    planner = Articles(ArticlesConfig("planner")).draw(1000, draws())
    after = planner.tokens[planner.tokens[:, 3] == COLON, 4]
    assert bool((after >= 28).any()) and bool((after < 28).any())
    memoriser = Articles(ArticlesConfig("memoriser")).draw(1000, draws())
    assert bool((memoriser.tokens[memoriser.tokens[:, 3] == IND, 4] < THE + 3).all())


def test_what_is_to_be_told_is_what_comes_next():
    documents = Articles(ArticlesConfig("planner")).draw(1000, draws())
    told = documents.targets[:, :-1] != NOTHING
    assert torch.equal(documents.targets[:, :-1][told], documents.tokens[:, 1:][told])
    assert bool((documents.targets[:, 3] != NOTHING).all())


def test_in_the_unplanned_language_a_pair_has_many_nouns():
    tokens = Articles(ArticlesConfig("unplanned")).draw(20_000, draws()).tokens
    pair = tokens[(tokens[:, 1] == 8) & (tokens[:, 2] == 18)]
    assert len(pair[:, 5].unique()) > 20 and len(pair[:, 4].unique()) == 1


def test_settings_that_cannot_work_are_named():
    with pytest.raises(ConfigError, match="candidates"):
        CoupletsConfig(candidates=3)
    with pytest.raises(ConfigError, match="held_out"):
        ArticlesConfig(held_out=100)
