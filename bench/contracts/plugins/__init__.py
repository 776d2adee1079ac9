"""What a plug-in is, where installed packages offer some, and how its file is read and run."""
