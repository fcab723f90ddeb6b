"""How fast the index is: built, kept up to date and searched, on a repository of the user's or on a made-up one."""
