"""Scores of one clip or of a set of clips: every measure that the curves allow, and why the others are missing."""
