"""Systems on the clips of a protocol: outputs measured as curves, metrics with intervals, a report, a leaderboard."""
