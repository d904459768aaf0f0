"""Pages to look at, and to act on: drawn by the server, in Chinese and English.

- `signing` knows who looks: an API key with the scope `look` or `operate`, in a signed cookie.
- `drawing` fills templates and sets the headers that keep a page to itself.
- `words` has every text in both languages; `chart` draws one.
- Each other module is a page: `overview`, `campaigns`, `messages`, `replies`, `unknown`.
"""
