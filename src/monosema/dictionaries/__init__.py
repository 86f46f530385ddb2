"""Sparse dictionaries of activations."""
