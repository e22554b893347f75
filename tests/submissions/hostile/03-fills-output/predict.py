with open("/mnt/out/answers.csv", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
