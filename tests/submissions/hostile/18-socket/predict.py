import socket

socket.socket(socket.AF_UNIX).bind("/mnt/out/answers.csv")
