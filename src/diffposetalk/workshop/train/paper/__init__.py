"""Training of the paper's model, both stages."""
