"""The API as a page shows it: calls, fields and examples, made of its description (OpenAPI)."""
