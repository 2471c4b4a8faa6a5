"""Coverage-guided fuzzing of everything that reads foreign bytes: one small target a parser (`fuzz.targets`)."""
