"""What is said where a command ends before it is done."""

RESUME = "finished work is kept; run the command again to resume"
