"""What people decided on the images of a data set: a journal, and what follows from it."""
