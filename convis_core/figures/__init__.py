"""Results to Plotly figures: the only part of the core that knows Plotly. It reads results and runs no algorithm."""
