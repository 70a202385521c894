"""Tasks that models attempt, and what decides whether they passed."""
