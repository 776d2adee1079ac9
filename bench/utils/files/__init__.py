"""Files, folders and disks."""
