"""What fills the seams between the packages: each class stands behind a Protocol of one of them and may know several.

Used by `build` alone, tests aside.
"""
