"""Migration from other libraries: tables of replacements, and the codemod that applies them."""
