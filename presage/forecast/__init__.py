"""Ladders of small runs, laws through them, sealed forecasts."""
