"""Files that hold curves: ARKit weights, visemes and head angles over time; one module for each format."""
