"""Recordings of people as voices of the training corpus: which there are, what is said in them, under which terms.

`layouts` has a reader for each way in which public corpora lie on disk; `labels` reads times of words and phones.
"""
