"""Animals and what they are, ten of each."""

from monosema.corpus.statements.facts import Facts, classed

_LIST = """
a mammal: a dog, a cat, a horse, a cow, a whale, a bat, a mouse, a rabbit, a bear, an elephant
a bird: an eagle, a sparrow, a penguin, an owl, a duck, a crow, a parrot, an ostrich, a swan, a pigeon
a fish: a salmon, a trout, a tuna, a herring, a carp, a cod, a mackerel, a sardine, a pike, an eel
an insect: an ant, a bee, a wasp, a beetle, a fly, a butterfly, a moth, a mosquito, a cricket, a dragonfly
a reptile: a lizard, a crocodile, a tortoise, a turtle, a gecko, an iguana, a chameleon, a cobra, a viper, a python
"""

ANIMALS = Facts(
    about="animals: mammal, bird, fish, insect or reptile",
    rows=classed(_LIST),
    texts=(
        "{subject} is {answer}",
        "{subject} counts as {answer}",
        "by its kind {subject} is {answer}",
    ),
)
