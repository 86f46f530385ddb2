"""What is claimed of a model of cumulative sums. The bars were set on models of seeds 0 to 2, before others were
trained; n is the position, counted from 1, and S the sum of the n steps so far, up 1 and down -1."""

from monosema.pipeline.mechanisms.claims import Claim

RULE = "level where |c| < 1 at an even position, else the sign of c"

CLAIMS = (
    Claim(
        "one_direction",
        "The first layer's attention writes S / n along one direction.",
        "share of the variance, at each position, of what it adds that is S / n times one vector fitted elsewhere",
        "the model before training",
        0.95,
        unit="sequences",
    ),
    Claim(
        "the_count_suffices",
        "And nothing else of what it writes is used.",
        "answers right with S / n times that vector, and the position's mean, in place of all that it adds",
        "the same with another sequence's S",
        0.99,
        unit="sequences",
    ),
    Claim(
        "the_direction_is_needed",
        "Without that direction there is no count.",
        "answers right with what it adds along the direction at the position's mean",
        "random directions in its place",
        0.5,
        "at most",
        unit="sequences",
    ),
    Claim(
        "attention_is_a_mean",
        "All the first layer's attention does is to take the mean over the steps so far.",
        "answers right with exactly even attention in all its heads",
        "attention to the current step alone",
        0.99,
        unit="sequences",
    ),
    Claim(
        "second_attention_idle",
        "The second layer's attention does nothing.",
        "answers right with what it adds at the position's mean",
        "what the first layer's adds at the position's mean",
        0.99,
        unit="sequences",
    ),
    Claim(
        "counts_can_be_set",
        "The direction carries the count: set it, and the model answers what was set.",
        "answers that are right for a count drawn anew for every position and set along the direction",
        "the same change along random directions",
        0.99,
        unit="sequences",
    ),
    Claim(
        "counts_between",
        f"Counts that cannot occur are answered by a rule: {RULE}.",
        "answers that are the rule's, c drawn evenly from -n to n and set",
        "the rule given another sequence's c",
        0.9,
        unit="sequences",
    ),
    Claim(
        "made_up_attention",
        "So the whole model is n times the mean of the steps under its attention, and that rule: under any attention.",
        "answers that are the rule's for n times the weighted mean, weights drawn at random for every position",
        "the right answers",
        0.9,
        unit="sequences",
    ),
    Claim(
        "errors_foretold",
        "And it foretells the errors.",
        "of the wrong answers under made-up attention, those that the rule gives",
        "the rule given another sequence's steps",
        0.75,
        unit="wrong answers",
    ),
    Claim(
        "errors_foretold_by_its_lines",
        "It foretells them better with the model's own lines in the place of 1.",
        "of the same wrong answers, those that the rule gives whose lines were measured on other sequences",
        "the same, given another sequence's steps",
        0.85,
        unit="wrong answers",
    ),
    Claim(
        "level_only_where_it_can_be",
        "Where the sum cannot be level, the model leaves level almost no room.",
        "share of counts between -1 and 1 answered level, at odd positions",
        "at even positions",
        0.2,
        "at most",
        unit="odd positions",
    ),
    Claim(
        "midway",
        "At even positions the line between level and not runs midway between the counts that occur, at 1.",
        "distance of that line from 1, a mean over even positions and both signs",
        "a line anywhere from 0 to 2",
        0.2,
        "at most",
        unit="lines",
    ),
)
