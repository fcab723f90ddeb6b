"""The language server: the only room that knows LSP. One file for a method; positions.py converts every offset."""
