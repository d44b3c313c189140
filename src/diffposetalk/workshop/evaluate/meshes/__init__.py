"""Generated meshes against captured meshes: the measures of the papers."""
