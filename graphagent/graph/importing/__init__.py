"""Imports: other files are read and checked for themselves (`files`), then their names move into the importer's
document under the import's name (`renaming`, `linking`), so that a plan needs no file but its own."""
