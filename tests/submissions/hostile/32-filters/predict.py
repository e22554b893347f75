# Filters of sockets and of system calls: programs in the kernel, of which it holds a copy and machine code besides.
import ctypes
import os
import socket
import struct

from honest import answers, must_fail, write

SOL_SOCKET, SO_ATTACH_FILTER = 1, 26
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("=HBBI", 0, 0, 0, 0) * 4095 + struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000))
program = ctypes.create_string_buffer(struct.pack("=H6xQ", 4096, ctypes.addressof(code)))


def of_socket():
    with socket.socket(socket.AF_UNIX) as plain:
        plain.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, bytes(program)[:16])


def of_calls():
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


must_fail({"of a socket": of_socket, "of system calls": of_calls})
write(answers())
