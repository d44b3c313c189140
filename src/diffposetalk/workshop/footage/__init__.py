"""Training data from video: which seconds hold one person's face and voice, how well they fit together, a data set of them."""
