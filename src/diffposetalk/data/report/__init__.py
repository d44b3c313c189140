"""A data set as one HTML page."""
