"""monosema: take a language model apart, and test every claim against its control."""
