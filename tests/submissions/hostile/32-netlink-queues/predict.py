import socket

from honest import answers, must_fail, write

must_fail({f"netlink {number}": lambda number=number: socket.socket(16, socket.SOCK_RAW, number) for number in range(23)})
write(answers())
