from honest import answers, write

write(answers(), newline="\r\n")
