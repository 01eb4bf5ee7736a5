"""The routes: what can be asked of the server."""
