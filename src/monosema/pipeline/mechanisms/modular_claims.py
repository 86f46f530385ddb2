"""What is claimed of a model of modular addition. The bars were set on models of seeds 0 to 4, before others were
trained. w_k = 2 pi k / p, where p is the modulus and k runs through the model's key frequencies."""

from monosema.pipeline.mechanisms.claims import Claim

OTHERS = "as many other circles, drawn at random"
BY_HEART = "the model when it knows by heart the pairs it is shown"

CLAIMS = (
    Claim(
        "few_circles",
        "The numbers lie on a few circles.",
        "share of the embeddings' variance in the key frequencies",
        f"{BY_HEART}: in as many, its strongest",
        0.8,
        unit="numbers",
    ),
    Claim(
        "circles_suffice",
        "The circles are all that is read of a number.",
        "sums right with nothing but these circles in the embedding",
        OTHERS,
        0.95,
        unit="unseen pairs",
    ),
    Claim(
        "circles_are_needed",
        "Without the circles there is no sum.",
        "sums right with these circles taken out of the embedding",
        OTHERS,
        0.1,
        "at most",
        unit="unseen pairs",
    ),
    Claim(
        "circles_turn",
        "To turn the first number's circles by s steps is to add s.",
        "answers a + b + s, s drawn for each pair",
        f"{OTHERS}, turned",
        0.95,
        unit="unseen pairs",
    ),
    Claim(
        "attention_by_the_circles",
        "Where '=' looks depends on where the numbers stand on the circles.",
        "share of the attention scores' variance in the key frequencies",
        f"{BY_HEART}: in as many, its strongest",
        0.8,
        unit="numbers",
    ),
    Claim(
        "through_the_mlp",
        "The sum is made by the MLP.",
        "sums right with what attention and embedding add to the logits past the MLP at its mean",
        "what the MLP writes at its mean",
        0.95,
        unit="unseen pairs",
    ),
    Claim(
        "a_neuron_a_circle",
        "A neuron serves one circle.",
        "share of the neurons' variance over all pairs that one frequency makes, each neuron's best",
        BY_HEART,
        0.8,
        unit="neurons",
    ),
    Claim(
        "logits_are_cosines",
        "The logits are sum_k A_k cos(w_k (a + b - c)): one number for each circle.",
        "share of the logits' variance explained; A_k fitted on the pairs trained on",
        f"{BY_HEART}: as many circles, its strongest",
        0.85,
        unit="unseen pairs",
    ),
    Claim(
        "circles_disagree_logits",
        "The formula holds where the circles disagree, too.",
        "share of the logits' variance explained, each circle of a turned by an angle of its own",
        "the formula given another pair's turns",
        0.8,
        unit="unseen pairs",
    ),
    Claim(
        "circles_disagree_answers",
        "And it says what the model answers there, which is no sum.",
        "answers that are the formula's, each circle of a turned by an angle of its own",
        "the formula given another pair's turns",
        0.5,
        unit="unseen pairs",
    ),
    Claim(
        "others_go_on",
        "With one circle taken out of the embedding, the others go on: the formula without it, and one vector that is "
        "the same for all pairs.",
        "share of the logits' variance explained; the vector fitted on the pairs trained on",
        "the formula with all circles, and one vector",
        0.85,
        unit="unseen pairs",
    ),
    Claim(
        "errors_foretold",
        "That vector foretells the model's errors.",
        "of the wrong answers with one circle taken out, those that this formula gives",
        "the answer that the vector alone gives",
        0.5,
        unit="wrong answers",
    ),
    Claim(
        "circles_vote_alone",
        "With one circle taken out, the others still give the sum, as the formula without it does.",
        "sums right with one circle taken out",
        "all circles taken out",
        0.95,
        unit="unseen pairs",
    ),
)
