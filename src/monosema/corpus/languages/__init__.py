"""Text whose features are known: a grammar of made-up words that tells, of every token, what is true there.

config       the parts of a language and how much of each
vocabulary   classes of words, and how likely each word is under each topic
grammar      states, what may come next in each and how likely, and the state after it
expectation  entropies and frequencies, by computation instead of counting
foretelling  the exact distribution of the next token, knowing the topic or not
labelling    what is true at a token, feature by feature
language     documents, tokenizer, and the truth about them
"""
