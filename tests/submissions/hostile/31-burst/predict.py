import os
import time

from honest import OUTPUT

block = b"x" * (1 << 20)
for number in range(8):
    if os.fork() == 0:
        try:
            with open(OUTPUT / str(number), "wb", buffering=0) as file:
                while file.write(block):
                    pass
        finally:
            os._exit(0)
time.sleep(0.5)
held = sum(os.stat(OUTPUT / name).st_size for name in os.listdir(OUTPUT))
print(f"{held} bytes were written")
assert held <= (1 << 20) + 128 * 1024, held
