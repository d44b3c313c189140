"""Texts and phones of the training corpus."""
