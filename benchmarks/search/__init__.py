"""Search methods compared on problems that cost nothing, under a simulated clock."""
