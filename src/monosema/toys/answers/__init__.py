"""Experiments on superposition: each answers one question of the literature, with numbers and their controls."""
