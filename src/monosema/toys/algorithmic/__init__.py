"""Algorithmic tasks: ground for circuits, since what a model of them must compute is known.

tasks       the classic challenges: what is asked at which position, and the right answer
grading     answers against targets, and what the commonest answer would score
learning    a small transformer trained on a task, and its controls
algorithmic the experiment
"""
