"""What a program without tokctl does: each process reads a shared file, and refreshes for itself when the token
in it has expired. Many processes do it at once, as when they all woke up to the same expiry.

Usage: refresh.py STATE_FILE TOKEN_ENDPOINT CLIENT_ID CLIENT_SECRET PROCESSES

Prints {TOKEN: N}: how many processes came to each token. Whether the provider takes it is for the provider to say.
"""

import base64
import collections
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ANSWERS_WITHIN_S = 60


def refresh(endpoint, client_id, secret, refresh_token):
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    request = urllib.request.Request(
        endpoint,
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": f"Basic {basic}"},
    )
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as response:
        return json.load(response)


def one(path, endpoint, client_id, secret):
    """What a careful program does: it writes whole files and never a half one. It has no lock."""
    with open(path, encoding="utf-8") as file:
        state = json.load(file)
    if state["expires_at"] > time.time():
        return state["access_token"]
    answer = refresh(endpoint, client_id, secret, state["refresh_token"])
    state = {
        "access_token": answer["access_token"],
        "refresh_token": answer.get("refresh_token", state["refresh_token"]),
        "expires_at": time.time() + answer["expires_in"],
    }
    handle, new = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(new, path)
    return state["access_token"]


def child(gate, results, arguments):
    os.read(gate, 1)
    try:
        token = one(*arguments)
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        token = "-"
    os.write(results, f"{token}\n".encode())
    os._exit(0)


def main():
    *arguments, processes = sys.argv[1:]
    gate, opens = os.pipe()
    reading, results = os.pipe()
    children = []
    for _ in range(int(processes)):
        pid = os.fork()
        if pid == 0:
            os.close(opens)
            child(gate, results, arguments)
        children.append(pid)
    # Every child reads the end of the pipe at once.
    os.close(opens)
    os.close(results)
    with os.fdopen(reading, encoding="utf-8") as file:
        lines = file.read().split()
    for pid in children:
        os.waitpid(pid, 0)
    print(json.dumps(collections.Counter(line for line in lines if line != "-")))


main()
