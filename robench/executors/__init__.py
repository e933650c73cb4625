"""Executors: who carries out what robench has decided to do, on one machine or several."""
