"""What a plug-in must fulfil: checks of methods, metrics and tasks, and templates that pass."""
