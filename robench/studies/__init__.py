"""Run files: everything of one leaderboard, from the trainings to the page, said in one YAML."""
