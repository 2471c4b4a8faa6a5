"""The registers' store: tables, migrations, lean reads, and writes that keep time. SQLite is the embedded default."""
