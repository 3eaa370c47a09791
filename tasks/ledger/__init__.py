"""What is remembered between cycles: links, watermark, journal, activity (SQLAlchemy; SQLite or PostgreSQL)."""
