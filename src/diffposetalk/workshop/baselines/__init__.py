"""Small versions of other systems, trained on the same data as the bundled model, and floors that learn little."""
