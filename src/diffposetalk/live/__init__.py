"""Motion while somebody speaks: the server, its clients, and plugins for voice agents."""
