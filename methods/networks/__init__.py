"""The networks, losses and updates of methods whose own file would be too long with them."""
