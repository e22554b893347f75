from honest import answers, write

given = answers()
given["../../../etc/passwd"] = "yes"
write(given)
