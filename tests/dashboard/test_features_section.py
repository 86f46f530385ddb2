"""Cards: which text is where, and how strongly it is marked."""

from dataclasses import replace

from monosema.dashboard.sections import features

from .examples import context, feature, run, sample

SEEN = features._sample("d0", "trained", sample((feature(1, 0.3), feature(2, 0.05), feature(3, 0.02))))


def test_every_feature_is_in_the_band_of_its_frequency():
    assert [(band.title, [card.feature for card in band.cards]) for band in SEEN.bands] == [
        ("10% to 100% of tokens", [1]),
        ("1% to 10% of tokens", [2, 3]),
    ]


def test_a_context_is_split_at_the_chosen_token():
    line = SEEN.bands[0].cards[0].groups[0].lines[0]
    assert [(p.kind, p.text) for p in line.left] == [("none", "def"), ("off", " ")]
    assert [(p.kind, p.text, p.level, p.chosen) for p in line.rest] == [
        ("on", "self", 8, True),
        ("off", ".x", 0, False),
    ]
    assert (line.activation, line.rest[0].activation, line.rest[0].ids) == ("2.50", "2.50", "102")


def test_the_first_and_the_last_token_can_be_the_chosen_one():
    first = features._line(context(("a", "b"), (1.0, 0.0), 0), 1.0)
    last = features._line(context(("a", "b"), (0.0, 1.0), 1), 1.0)
    assert (first.left, [p.text for p in first.rest]) == ((), ["a", "b"])
    assert ([p.text for p in last.left], [p.text for p in last.rest]) == (["a"], ["b"])


def test_shades_are_eighths_of_the_largest_activation():
    activations = (0.01, 1.0, 1.01, 4.0, 7.99, 8.0)
    line = features._line(context(tuple("abcdef"), activations, 5), 8.0)
    assert [p.level for p in (*line.left, *line.rest)] == [1, 1, 2, 4, 8, 8]


def test_tokens_that_make_one_character_are_one_piece_with_their_strongest_activation():
    line = features._line(context(("a", "", "", "€", "b"), (0.0, 1.0, 2.0, 0.5, 0.0), 3), 2.0)
    assert [p.text for p in (*line.left, *line.rest)] == ["a", "€", "b"]
    euro = line.rest[0]
    assert (euro.chosen, euro.activation, euro.ids, euro.level) == (True, "2.00", "101 102 103", 8)


def test_a_character_cut_off_by_the_end_of_the_window_still_shows():
    line = features._line(context(("a", ""), (0.0, 1.0), 1), 1.0)
    assert [(p.text, p.kind) for p in line.rest] == [("⟨…⟩", "on")]


def test_plain_text_is_one_piece_and_what_fires_stays_apart():
    line = features._line(context(("a", "b", "c", "d", "e"), (0.0, 0.0, 1.0, 0.0, 0.0), 2), 1.0)
    assert [p.text for p in (*line.left, *line.rest)] == ["ab", "c", "de"]


def test_a_feature_without_a_silent_window_says_so():
    (card,) = (c for c in features._sample("d", "t", sample((feature(1, 0.3),))).bands[0].cards)
    assert card.groups[2].note == "no firing anywhere in the window"
    dense = features._card("d", replace(feature(1, 0.3), inactive=()))
    assert dense.groups[2].note == "the feature leaves no window of this width without a firing"


def test_panels_have_keys_of_their_own():
    panels = features.view(run())
    assert panels is not None
    keys = [card.key for p in panels for s in (p.sample, p.control) if s for band in s.bands for card in band.cards]
    assert len(keys) == len(set(keys)) == 6
    assert panels[1].control is None and panels[1].control_is == "skipped by the user"
