"""Plots of training and of lip sync."""
