"""FLAME from the user's own file, and a free head of the same format."""
