"""Heads with named blend shapes, from npz or glTF files."""
