"""Features changed in a prompt, and what that does: in the linear model, with patterns held, or in the model itself.

changes     what to change, to what, and the vectors that this adds
effects     what it does to the logits and to other features
predicting  what the graph says it would do, all paths together
checking    the one beside the other, node by node, with random nodes as the control
"""
