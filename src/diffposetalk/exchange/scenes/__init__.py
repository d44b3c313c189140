"""Files that hold a moving head: glTF, USD, VRM, BVH and mesh sequences; one module for each format."""
