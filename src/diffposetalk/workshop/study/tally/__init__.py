"""Counting of a study's answers: raters who fail the checks, preferences, ratings, and the report."""
