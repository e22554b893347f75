with open("/mnt/out/answers.csv", "w") as file:
    file.write('file,answer\n"' + "x" * 1_000_000)
