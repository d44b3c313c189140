"""Files that hold visemes (mouth shapes for sounds) and viseme animation of speech services; one module for each format."""
