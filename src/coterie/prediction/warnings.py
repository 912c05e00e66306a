"""What Customer AI is not for, told where it seems to be used so (mission document of the field, overview.md)."""
