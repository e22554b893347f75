import os
import time

try:
    while True:
        os.fork()
except BlockingIOError:
    time.sleep(1)  # the number of processes is read several times a second
    raise
