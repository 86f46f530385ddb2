"""Benchmarks: how fast dictionaries train and activations are harvested, beside others and beside the bare arithmetic.

contenders.py       who runs, in which environment, with which settings
activations.py      the rows that all of them train on
processes.py        a worker process: told to go, answers with seconds
rounds.py           rounds that alternate through the contenders, and what is worked out of them
tables.py           JSON rows and Markdown tables
plot.py             a plot, as SVG
train.py            speed, memory and loss of one training step after another
scaling.py          the same against the number of features and against tokens
harvest.py          speed of a harvest beside the bare forward pass
workers/            one short file for each library: its own trainer on our rows
"""
