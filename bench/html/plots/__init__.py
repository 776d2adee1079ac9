"""The plots of a board as Vega-Lite specifications."""
