"""What torments Lectern for minutes: kills at random moments, hostile files.  Run: make soak, or one: python -m tests.soak.kills"""
