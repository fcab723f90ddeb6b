"""How well an index finds what is asked for, measured on a repository's own questions."""
