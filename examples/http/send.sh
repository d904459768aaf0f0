#!/bin/sh
# Sends a text with curl: XINSHI_URL, XINSHI_KEY; then number, text, idempotency key.
# What brought no answer, 429 and 503 are repeated; with the same key it stays one message.
set -eu
to=$1 text=$2 key=$3
body=$(printf '{"to": "%s", "text": "%s"}' "$to" "$text")

# The key goes in by standard input: a process list shows arguments.
answer=$(printf 'header = "Authorization: Bearer %s"\n' "$XINSHI_KEY" |
  curl --config - --silent --show-error --write-out '\n%{http_code}' \
    --retry 5 --retry-connrefused --retry-all-errors --max-time 10 \
    --header "Idempotency-Key: $key" --header "Content-Type: application/json" \
    --data "$body" "$XINSHI_URL/v1/messages")
echo "$answer" | sed '$d'
[ "${answer##*
}" = 202 ]
