"""What people run: one flow a file."""
