"""Instruction to plan to action to verdict to recovery, for any body. Knows the contract and nothing else."""
