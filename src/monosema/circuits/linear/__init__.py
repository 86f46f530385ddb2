"""What is left of a model when its attention patterns and the denominators of its norms are held at one pass.

families   where each family keeps the matrices of that linear model
norms      a norm with its denominators held
attention  the heads' value and output matrices, with the pattern held
local      the whole of it: a change pushed forward, a reading pulled back
"""
