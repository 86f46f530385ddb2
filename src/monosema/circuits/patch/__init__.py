"""What in a model makes the difference between two prompts: its activations carried from one run into the other.

pairs        two prompts of equal length, the answer of each; from a file, generated, or given
metrics      logit difference, probability, loss
places       what is patched: a site, of it a position, a head, a dictionary's feature
effects      what patching did, 0 as the corrupted prompt, 1 as the clean
activation   patched, and run
attribution  estimated by gradients, and how far off that is
paths        patched only in what some parts read
along        the same along paths of several edges
controls     an unrelated prompt, random places of equal count
exploring    all of it as a page; panels, saying: its pictures and its sentences
"""
