"""Meshes, skinning, landmarks on surfaces and bounded least squares: mathematics that several packages share."""
