"""What results mean: intervals on rates, and what may be said when two are compared."""
