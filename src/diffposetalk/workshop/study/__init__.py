"""User studies: people judge videos of several systems. `making` builds a study, `serving` hosts it, `tally` counts."""
