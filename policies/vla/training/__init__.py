"""Fine-tuning pi0 with low-rank adapters from episodes."""
