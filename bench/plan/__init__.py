"""Turns what the user asks for into cells: profiles, settings, forecasts, shards."""
