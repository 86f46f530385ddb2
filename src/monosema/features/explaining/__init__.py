"""Explanations of features, by baselines and by a language model behind an endpoint, and what they are worth.

windows    32 tokens each; a document explains or judges, never both
sources    where features fire, in a table and in its control
drawing    the windows of one feature, and all that is asked about it
baselines  n-grams, tokens, TF-IDF: explanations and their scores, exactly
prompts, client, answers, asking, asked    the same by an endpoint
sides, consulting, explaining, results     all features of both sides; rows and lines
"""
