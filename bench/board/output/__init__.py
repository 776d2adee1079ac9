"""What readers see of a board: the terminal, Markdown, LaTeX, pandas and further formats."""
