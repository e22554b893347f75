import os

from honest import answers, write

assert not os.path.exists("/host")
write(answers())
