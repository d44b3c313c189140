"""Motion while somebody speaks: sent to other programs, served over a WebSocket, and in voice agents."""
