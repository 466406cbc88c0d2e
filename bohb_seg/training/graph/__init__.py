"""Everything that runs inside the compiled step: Keras and numbers only."""
