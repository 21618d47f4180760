"""Files -> rows of pixels as stored: one file for each library that reads."""
