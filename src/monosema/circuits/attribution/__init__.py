"""Attribution graphs: which features of a prompt caused which, and the tokens that the model predicts.

places        which dictionary stands for which layer's MLP
replacing     what fires on the prompt, what it writes, and the error that is left
targets       the tokens whose logits are explained
rows          direct effects of everything on a target, a block of targets at a time
sweep         influence, from the logits down, each row used once
graph         the nodes and edges that are kept
pruning       the nodes and edges that carry most of the influence
tracing       the whole of it
heads_of      which heads an edge goes through
looking       why a head looked there: its score, by pairs of nodes
wiring        both, for a graph on its prompt
files         a graph on disk
neuronpedia   a graph as Neuronpedia and circuit-tracer write it
"""
