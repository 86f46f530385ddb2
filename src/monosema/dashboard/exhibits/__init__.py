"""Panels of an exhibit as pictures: one file a kind. Places of marks are all that is worked out."""
