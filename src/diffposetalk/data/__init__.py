"""Clips, windows and augmentation: what training reads."""
