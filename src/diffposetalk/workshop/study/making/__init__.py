"""Making of a study: the videos of all systems, the anchor, and the one file that holds them."""
