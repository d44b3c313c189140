"""Floors: what little learning, or none, reaches. A trained system must pass them."""
