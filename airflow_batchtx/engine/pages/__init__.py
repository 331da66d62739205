"""The engine's pages for people: the list of jobs, and a page for each."""
