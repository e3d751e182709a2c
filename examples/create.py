"""Creates one client with Python's standard library, and asks again with the same key until the outcome is final:
  python3 examples/create.py http://localhost:3000 +998901234567 order-17
"""
import json, sys, time, urllib.error, urllib.request, uuid

base, phone, key = (sys.argv[1:] + ["http://localhost:3000", "+998901234567", str(uuid.uuid4())][len(sys.argv) - 1 :])[:3]
body = json.dumps({"phone": phone, "firstName": "Alisher", "lastName": "Navoiy"}).encode()
headers = {"Content-Type": "application/json", "Idempotency-Key": key}
why = "no answer"

for attempt in range(1, 9):
    wait = attempt
    try:
        request = urllib.request.Request(f"{base}/clients", body, headers)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as problem:
            answer = problem
        said = json.load(answer)
        if answer.status == 201:
            print("created", said["requestId"], said.get("clientId", "(its id is not known yet)"))
            sys.exit(0)
        if said.get("safeToRetry") == "no":
            print(said["code"], said.get("partner", {}).get("description", ""))
            for error in said.get("errors", []):
                print(" ", error["pointer"], error["message"])
            sys.exit(1)
        why = said.get("code") or said.get("status")
        wait = int(answer.headers.get("Retry-After", attempt))
    except (OSError, ValueError) as fault:
        why = f"no answer: {type(fault).__name__}"
    time.sleep(wait)
print("unresolved", why, "- go on later with the key", key)
sys.exit(2)
