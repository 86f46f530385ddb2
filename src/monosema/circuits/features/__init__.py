"""Sparse feature circuits (Marks et al. 2024): the features, and what no feature explains, that make up an answer.

settings    what is asked
parts       a site as a dictionary sees it: features, a bias, an error; or its own coordinates
states      what prompts put there, and the means over prompts
nodes       which features and errors, at which position
effects     what moving each to its baseline does to the answer, by gradients and by integrated gradients
exact       the same, done
edges       what of one node's effect goes through another
circuits    nodes and edges found together
keeping     the model with everything else at its mean: faithfulness and completeness
controls    dictionaries in which nothing is learned, random nodes
curves      faithfulness and completeness by size, beside all of these
exploring   all of it as a page; panels, saying: its pictures and its sentences
planted     a language and a model of it in which the circuit is known
"""
