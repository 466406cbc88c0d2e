"""Looking at data sets: which images are worth a look, and small pictures of them."""
