"""From names to cells: profiles, settings, forecasts, shards."""
