"""The backend that runs a model in this process, on transformers, and masks its choices with a grammar."""
