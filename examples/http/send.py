"""Sends a text with httpx: XINSHI_URL, XINSHI_KEY; then number, text, idempotency key."""  # noqa: INP001

import os
import sys
import time

import httpx

AGAIN = {429, 503}


def send(client: httpx.Client, to: str, text: str, key: str) -> list[str]:
    """Return the messages' ids. What brought no answer is repeated: the key makes it one."""
    for attempt in range(6):
        wait = 0.5 * 2**attempt
        try:
            answer = client.post(
                "/v1/messages", json={"to": to, "text": text}, headers={"Idempotency-Key": key}
            )
        except httpx.TransportError as error:
            problem = type(error).__name__
        else:
            if answer.status_code == 202:
                return list(answer.json()["ids"])
            problem = f"{answer.json()['detail']}: {answer.json()['errors']}"
            if answer.status_code not in AGAIN:
                break
            wait = float(answer.headers.get("Retry-After", wait))
        time.sleep(min(wait, 30.0))
    raise SystemExit(problem)


if __name__ == "__main__":
    with httpx.Client(
        base_url=os.environ["XINSHI_URL"],
        headers={"Authorization": f"Bearer {os.environ['XINSHI_KEY']}"},
        timeout=10.0,
    ) as xinshi:
        print(" ".join(send(xinshi, *sys.argv[1:4])))  # noqa: T201
