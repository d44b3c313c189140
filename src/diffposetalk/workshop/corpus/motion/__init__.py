"""Motion of the training corpus: from phones to lips, head, brows and eyes."""
