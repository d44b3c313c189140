"""When lips move: shifts, misalignment of extrema, and the sound offset of a file."""
