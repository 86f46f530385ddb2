"""What single heads do: their matrices, how they compose, what they look at, what they add to the logits.

weights      a layer's matrices head by head, of any family listed; norms folded in only where asked
lowrank      a matrix kept as its two factors
tokens       a head's circuits from token to token
composition  whether a head reads what an earlier one writes
scores       a head's queries and keys, linear in the stream once norms are held
patterns     where heads look on repeated random tokens
direct       what every part adds to a logit; features: dictionaries in place of parts
by_hand      an induction circuit written down; learning: one trained
exploring    all of it as a page; panels, saying: its pictures and its sentences
"""
