"""Small valid files of every kind that the project reads, made here as bytes."""
