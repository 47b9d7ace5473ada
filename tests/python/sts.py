"""moto's server, which is AWS's STS for the tests.

Says in one line of JSON where it listens, and ends when its standard input does.
"""

import json
import os
import sys

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(json.dumps({"endpoint": f"http://{host}:{port}/"}), flush=True)
sys.stdin.read()
os._exit(0)
