"""Files that hold curves: ARKit weights and head angles over time; one module for each format."""
