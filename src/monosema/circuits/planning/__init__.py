"""A test bed for planning: small models of languages in which what is planned, and where, is known by construction.

settings     what is run
sight        a model that sees only what it may, in training and in use
learning     a small GPT-2 from scratch
writing      second lines, and states of one token put in place of others
transplants  another couplet's state, a mean difference, a random direction at the newline
probing      what a linear probe reads, position by position
routes       which share of the first line's influence passes the newline
features     a dictionary of the newline's states at all layers; features suppressed and put in
nouns        articles: held-out pairs, and the noun at the colon exchanged
couplets, articles      the experiments, by language in `experiments`; panels, saying: what couplets show
"""
