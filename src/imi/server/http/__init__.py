"""What every request passes: who asks, how much, how long, and how the answer is written."""
