"""The Streamlit pages: an HTTP client of the gateway and nothing else."""
