"""The leaderboard as one page of HTML that opens from disk: `robench report --html`."""
