"""The families of open models that Tandem can plan with: one file for each maker, and the registry."""
