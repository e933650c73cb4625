"""Rows of a leaderboard in one file: packed by who trained them, checked by who publishes them."""
