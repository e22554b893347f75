from honest import answers, write

given = answers()
given.popitem()
write(given)
