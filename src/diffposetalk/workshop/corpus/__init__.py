"""The self-made training corpus: text, voices with exact phone times, articulation, speaking styles, head motion."""
