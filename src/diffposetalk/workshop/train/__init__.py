"""Training recipes: a loop that can be read, one file per stage."""
