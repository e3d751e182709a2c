#!/usr/bin/env bash
# Creates one client with curl and jq, and asks again with the same key until the outcome is final:
#   examples/create.sh http://localhost:3000 +998901234567 order-17
set -euo pipefail
base=${1:-http://localhost:3000} phone=${2:-+998901234567} key=${3:-$(uuidgen)}
answer=$(mktemp) headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT

for attempt in 1 2 3 4 5 6 7 8; do
  status=$(jq -n --arg phone "$phone" '{phone: $phone, firstName: "Alisher", lastName: "Navoiy"}' |
    curl -sS --max-time 30 -o "$answer" -D "$headers" -w '%{http_code}' "$base/clients" \
      -H 'Content-Type: application/json' -H "Idempotency-Key: $key" -d @-) || status=000
  case $status in
  201)
    jq -r '"created \(.requestId) \(.clientId // "(its id is not known yet)")"' "$answer"
    exit 0
    ;;
  202) reason=$(jq -r .status "$answer") ;;
  000) reason='no answer' ;;
  *)
    reason=$(jq -r '.code // "no problem details"' "$answer" 2>/dev/null || echo "HTTP $status")
    if [ "$(jq -r .safeToRetry "$answer" 2>/dev/null)" = no ]; then
      jq -r '"\(.code) \(.partner.description // "")", ((.errors // [])[] | "  \(.pointer) \(.message)")' "$answer"
      exit 1
    fi
    ;;
  esac
  seconds=$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/Ip' "$headers")
  sleep "${seconds:-$attempt}"
done
echo "unresolved $reason - go on later with the key $key"
exit 2
