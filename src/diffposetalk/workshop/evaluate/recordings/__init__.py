"""Real recordings: tracked clips and transcripts, phones of known words, offsets of the sound."""
